"""The frames of a folder: pictures with a number in their names, in the order of these numbers."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

_FRAME = re.compile(
    r"(?P<before>(?!\.).*?)(?P<number>\d{1,12})\.(?:png|jpe?g|webp|tiff?|bmp|ppm|pgm|avif|gif)",
    re.IGNORECASE,
)
_ENTRIES = 1_000_000
"""The most names of one folder that are looked at."""


def has_frames(folder: Path) -> bool:
    """Whether `folder` contains at least one frame. Raises OSError."""
    with os.scandir(folder) as entries:
        return any(_FRAME.fullmatch(entry.name) for entry in islice(entries, _ENTRIES))


def frame_names(folder: Path) -> list[str]:
    """The names of the frames, by number, then by name. Hidden files are no frames.

    The number is the last one before the suffix: that of `shot2_0007.png` is 7. Raises OSError.
    """
    with os.scandir(folder) as entries:
        found = [_FRAME.fullmatch(entry.name) for entry in islice(entries, _ENTRIES)]
    return sorted((each[0] for each in found if each), key=_order)


def parts_of(name: str) -> tuple[str, int]:
    """What stands before the number of a frame, and the number."""
    found = _FRAME.fullmatch(name)
    assert found is not None, name
    return found["before"], int(found["number"])


def _order(name: str) -> tuple[int, str]:
    return parts_of(name)[1], name
