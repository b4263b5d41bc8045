"""Checks pictures before they are submitted, so that files that are not usable are refused."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nstd.client.whole_picture import whole_size
from nstd.documents.film import frame_of, split_frame
from nstd.documents.settings import LimitSettings
from nstd.errors import PictureError, printable
from nstd.system.units import format_size

_SECONDS = 60.0
_KINDS = (
    (stat.S_ISFIFO, "a pipe or FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISDIR, "a folder"),
)


def check_files(pictures: Iterable[Path], limits: LimitSettings) -> None:
    """Raise PictureError for the first that is no regular file, is empty, or has too many bytes.

    Raises OSError for a file that cannot be read.
    """
    for picture in pictures:
        _check_file(picture, limits.picture_bytes)


def check_pictures(
    pictures: Iterable[Path], limits: LimitSettings, sides: Mapping[Path, int] | None = None
) -> None:
    """Raise PictureError for a picture that no job could use, in the words of the job.

    `sides` are the longest sides, in pixels, to which contents are to be brought. A JPEG or PNG
    that is whole and not too large is not decoded here. All others are decoded in a separate
    process, because a decoder may be slow or crash. Raises OSError for a file that cannot be read.
    """
    asked = {picture: (sides or {}).get(picture, 0) for picture in pictures}
    most = limits.picture_pixels
    doubtful = [each for each in asked.items() if not _is_surely_fine(each[0], most, each[1])]
    if doubtful:
        _check_inside(doubtful, limits)


def _check_file(picture: Path, most: int) -> None:
    status, name = picture.stat(), printable(picture)
    kind = next((words for test, words in _KINDS if test(status.st_mode)), "")
    if kind:
        hint = "save the picture into a regular file, and submit that"
        raise PictureError("picture_refused", f"{name} is {kind}, and no picture file", hint)
    if not status.st_size:
        raise PictureError("picture_unreadable", f"{name} is empty", "copy the picture again")
    check_size(picture, most, "picture_bytes")


def check_size(picture: Path, most: int, limit: str) -> None:
    """Raise PictureError for a file of more than `most` bytes, the setting `limit`."""
    if (size := picture.stat().st_size) > most:
        given, allowed = format_size(size), format_size(most)
        what = f"{printable(picture)}: {given}, more than the limit of {allowed}"
        hint = f"make it smaller, or raise limits.{limit} in the config"
        raise PictureError("picture_refused", what, hint)


def _is_surely_fine(picture: Path, most: int, side: int) -> bool:
    """Whether it can be used without doubt: it is whole, has at most `most` pixels, and need not be
    enlarged."""
    size = whole_size(picture)
    return size is not None and 0 < size.width * size.height <= most and side <= max(size)


def _check_inside(pictures: list[tuple[Path, int]], limits: LimitSettings) -> None:
    numbers = [str(limits.picture_pixels), str(limits.picture_bytes)]
    have_checked("nstd.images.check", numbers, pictures)


def have_checked(module: str, numbers: Sequence[str], files: Sequence[tuple[Path, int]]) -> None:
    """Have a child process decode the files, each with the longest side that is wanted of it.

    If the process fails, the job will check them. Raises PictureError.
    """
    asked = [word for file, side in files for word in (str(side), _real(file))]
    command = [sys.executable, "-P", "-m", module, *numbers, *asked]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True
        )
        answers = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        return
    for (picture, _), answer in zip(files, answers, strict=True):
        if answer is not None:
            code, message, hint = answer
            raise PictureError(code, printable(f"{picture.parent}/{message}"), hint)


def _real(file: Path) -> str:
    """The path of the file itself, where `file` is a link; also of one frame, like `clip.mp4#0`."""
    if file.exists():
        return str(file.resolve())
    named = str(file)
    return f"{Path(split_frame(named)[0]).resolve()}{frame_of(named)}"
