"""Finds the cuts of a film: where a new scene begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nstd.backend import Pixels


def is_cut(before: Pixels, now: Pixels) -> bool:
    """Whether the frame `now` begins another scene than that of the frame `before`.

    Both are (height, width, 3) float32 sRGB in [0, 1], of one size. Raises PictureError if OpenCV
    is not installed.
    """
    raise NotImplementedError
