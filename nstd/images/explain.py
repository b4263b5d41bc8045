"""Turns the errors of opening and decoding into errors about the picture's file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from nstd.documents.film import FILM_SUFFIXES
from nstd.errors import NstdError, PictureError, printable
from nstd.images.foreign import FILM
from nstd.images.kinds import FORMATS
from nstd.images.model import ExtraNeededError, TooMuchWorkError, UnreadKindError
from nstd.images.tiff_pages import SeveralPagesError

SAVE_AGAIN = "open it in a picture editor, save it as PNG or JPEG, and submit it again"
EXPORT = "play it; if it is whole, export it again, as MP4 with H.264 for instance"
FILM_KINDS = "MP4, QuickTime, Matroska, WebM and AVI"
_LONGEST = 300
_UNSUPPORTED = re.compile(r"unsupported|not (yet )?supported|not implemented|unknown .*mode", re.I)
"""Pillow's words for a file that is not broken, but of a kind that it does not read."""


def too_large(path: Path, max_pixels: int) -> PictureError:
    """The error for a picture with more pixels than the limit."""
    return PictureError(
        "picture_refused",
        f"{path.name}: more than the limit of {max_pixels:,} pixels",
        "make it smaller, or raise limits.picture_pixels in the config",
    )


def several(path: Path, what: str) -> PictureError:
    """The error for a file with more than one picture."""
    return PictureError(
        "picture_refused",
        f"{path.name}: {what}, and one still picture is needed",
        "save the frame that you want as a PNG or JPEG of its own",
    )


@contextmanager
def explained(path: Path, max_pixels: int) -> Iterator[None]:
    """Turn every error into a PictureError about `path`."""
    try:
        yield
    except NstdError:
        raise
    except Exception as error:  # decoders raise many types of errors for broken files
        raise _explanation(error, path, max_pixels) from error


def cannot_be_opened(error: Exception, name: str) -> PictureError | None:
    """The error for a file that is absent or closed, or that the memory cannot hold."""
    match error:
        case FileNotFoundError():
            return PictureError("picture_missing", f"{name}: no such file", "copy it there")
        case PermissionError():
            hint = "let the daemon's user read it"
            return PictureError("picture_unreadable", f"{name}: permission denied", hint)
        case MemoryError():
            message = f"{name}: needs more memory than there is"
            return PictureError("picture_refused", message, "make it smaller")
    return None


def _explanation(error: Exception, path: Path, max_pixels: int) -> PictureError:
    name, said = path.name, printable(str(error))[:_LONGEST]
    if (closed := cannot_be_opened(error, name)) is not None:
        return closed
    is_named_film = path.suffix.lower() in FILM_SUFFIXES
    match error:
        case Image.DecompressionBombError():
            return too_large(path, max_pixels)
        case SeveralPagesError():
            return several(path, "has several pages")
        case TooMuchWorkError():
            message = f"{name}: {error}, which would take too long to decode"
            return PictureError("picture_refused", message, SAVE_AGAIN)
        case UnreadKindError() if is_named_film or FILM in said:
            kinds = f"{', '.join(FORMATS)}, and of films {FILM_KINDS}"
            message = f"{name}: {said} is not read, but {kinds} are"
            return PictureError("picture_unreadable", message, EXPORT)
        case UnidentifiedImageError() if is_named_film:
            message = f"{name}: no film in {FILM_KINDS}, or cut short"
            return PictureError("picture_unreadable", message, EXPORT)
        case UnreadKindError():
            message = f"{name}: {said} is not read, but {', '.join(FORMATS)} are"
            return PictureError("picture_unreadable", message, SAVE_AGAIN)
        case ExtraNeededError():
            message = f"{name}: {said} needs the extra `tiff`, which is not installed"
            hint = f"pip install 'nstd[tiff]', or {SAVE_AGAIN}"
            return PictureError("picture_unreadable", message, hint)
        case UnidentifiedImageError():
            message = f"{name}: not a picture in {', '.join(FORMATS)}, or cut short"
            return PictureError("picture_unreadable", message, SAVE_AGAIN)
        case OSError(errno=number) if number is not None:
            message = f"{name}: {error.strerror or error}"
            return PictureError("io_error", message, "check the disk or network mount")
    if _UNSUPPORTED.search(said):
        what, hint = "of a kind that is not read", SAVE_AGAIN
    else:
        what, hint = (
            "broken or truncated",
            f"copy it anew if it was cut off on its way, or {SAVE_AGAIN}",
        )
    return PictureError("picture_unreadable", f"{name}: {what} ({said})", hint)
