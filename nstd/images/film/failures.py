"""The errors about films: what was wrong with which file, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from nstd.errors import NstdError, PictureError, printable
from nstd.images.explain import EXPORT, cannot_be_opened
from nstd.images.film.extra import film_extra

_LONGEST = 300
_TROUBLES = {
    errno.EIO,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ESTALE,
    errno.ENODEV,
    errno.ENXIO,
    errno.EACCES,
    errno.EMFILE,
    errno.ENFILE,
}
"""What the system says when a disk fails."""


def require_extra(name: str) -> None:
    """Raise PictureError if the extra `film` cannot be used; `name` is the film's."""
    extra = film_extra()
    if extra.problem:
        hint = f"{extra.hint}, or submit a still picture"
        raise PictureError("picture_unreadable", f"{name}: {extra.problem}", hint)


def broken(name: str, why: str) -> PictureError:
    """The error for a film that cannot be decoded."""
    return PictureError("picture_unreadable", f"{name}: {why}", EXPORT)


def refused(name: str, why: str, limit: str) -> PictureError:
    """The error for a film that exceeds one of the limits; `limit` is its name in the config."""
    choose = "choose some frames with output.frames, output.every or output.fps"
    do = choose if limit in ("film_frames", "film_seconds") else "make it smaller"
    return PictureError(
        "picture_refused", f"{name}: {why}", f"{do}, or raise limits.{limit} in the config"
    )


def cut_short(name: str) -> PictureError:
    """The error for a film whose end is missing."""
    return PictureError(
        "picture_unreadable", f"{name}: cut short, its end is missing", "copy it again"
    )


def changed(name: str) -> PictureError:
    """The error for a film that is not what it was when it was opened."""
    return broken(name, "it has changed while it was read")


@contextmanager
def explained_film(path: Path) -> Iterator[None]:
    """Turn every error into a PictureError about the film at `path`."""
    try:
        yield
    except NstdError:
        raise
    except Exception as error:  # the libraries raise many types of errors for broken films
        raise _explanation(error, path) from error


def _explanation(error: Exception, path: Path) -> PictureError:
    name = path.name
    said = printable(str(getattr(error, "strerror", None) or error))[:_LONGEST]
    if (closed := cannot_be_opened(error, name)) is not None:
        return closed
    match error:
        case UnidentifiedImageError():
            return broken(name, "broken at its beginning")
        case Image.DecompressionBombError():
            return refused(name, "more pixels a frame than the limit", "film_pixels")
        case OSError(errno=number) if number in _TROUBLES and not _is_of_ffmpeg(error):
            return PictureError("io_error", f"{name}: {said}", "check the disk or network mount")
    return broken(name, f"broken or truncated ({said})")


def _is_of_ffmpeg(error: Exception) -> bool:
    """Whether it is FFmpeg's: what the disk says reaches us as Python's own error."""
    return type(error).__module__.startswith("av.")
