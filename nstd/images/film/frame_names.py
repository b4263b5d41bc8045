"""The frames of a folder: pictures with a number in their names, in the order of these numbers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

_SUFFIX = r"\.(?:png|jpe?g|webp|tiff?|bmp|ppm|pgm|avif|gif)"
_PICTURE = re.compile(rf".*{_SUFFIX}", re.IGNORECASE | re.DOTALL)
_FRAME = re.compile(rf"(?P<before>.*?)(?P<number>\d{{1,12}}){_SUFFIX}", re.IGNORECASE)
_ENTRIES = 1_000_000
"""The most names of one folder that are looked at."""


class FolderNames(NamedTuple):
    """The names of the frames in a folder, by number, then by name; and how many files are none.

    The number is the last one before the suffix: that of `shot2_0007.png` is 7.
    """

    frames: list[str]
    unnumbered: int
    """Pictures without a number."""
    others: int
    """Files that are no pictures."""


def has_frames(folder: Path) -> bool:
    """Whether `folder` contains at least one frame. Raises OSError."""
    return any(_FRAME.fullmatch(name) for name in _names(folder))


def names_in(folder: Path) -> FolderNames:
    """The names in `folder`; hidden files do not count. Raises OSError."""
    names = list(_names(folder))
    pictures = [name for name in names if _PICTURE.fullmatch(name)]
    frames = sorted(filter(_FRAME.fullmatch, pictures), key=_order)
    return FolderNames(frames, len(pictures) - len(frames), len(names) - len(pictures))


def parts_of(name: str) -> tuple[str, int]:
    """What stands before the number of a frame, and the number."""
    found = _FRAME.fullmatch(name)
    assert found is not None, name
    return found["before"], int(found["number"])


def _names(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in islice(entries, _ENTRIES):
            if entry.name[0] != "." and not entry.is_dir(follow_symlinks=False):
                yield entry.name


def _order(name: str) -> tuple[int, str]:
    return parts_of(name)[1], name
