"""Checks pictures before they are submitted, so that files that are not usable are refused."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from nstd.documents.settings import LimitSettings
from nstd.errors import PictureError, printable
from nstd.system.units import format_size

_SECONDS = 60.0
_START = 64 << 10
_KINDS = (
    (stat.S_ISFIFO, "a pipe or FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISDIR, "a folder"),
)


def check_pictures(pictures: Iterable[Path], limits: LimitSettings) -> None:
    """Raise PictureError for the first picture that no job could use.

    Files that begin as JPEG, PNG or BMP are not decoded here. All others are decoded in a separate
    process, because a decoder may be slow or crash. Raises OSError for a file that cannot be read.
    """
    doubtful = []
    for picture in dict.fromkeys(pictures):
        _check_file(picture, limits.picture_bytes)
        if not _is_plain(picture):
            doubtful.append(picture)
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
    if status.st_size > most:
        what = f"{name}: {format_size(status.st_size)}, more than {format_size(most)}"
        hint = "make it smaller, or raise limits.picture_bytes in the config"
        raise PictureError("picture_refused", what, hint)


def _is_plain(picture: Path) -> bool:
    with picture.open("rb") as file:
        start = file.read(_START)
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"acTL" not in start  # else it is animated
    return start.startswith((b"\xff\xd8\xff", b"BM"))


def _check_inside(pictures: list[Path], limits: LimitSettings) -> None:
    """Have a child process decode the pictures; if the process fails, the job will check them."""
    numbers = str(limits.picture_pixels), str(limits.picture_bytes)
    files = [str(picture.resolve()) for picture in pictures]
    command = [sys.executable, "-P", "-m", "nstd.images.check", *numbers, *files]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True
        )
        answers = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        return
    for picture, answer in zip(pictures, answers, strict=True):
        if answer is not None:
            code, message, hint = answer
            raise PictureError(code, printable(f"{picture.parent}/{message}"), hint)
