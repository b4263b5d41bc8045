"""Optical flow between two frames: where each part of a frame was in an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nstd.backend import Earlier

if TYPE_CHECKING:
    from nstd.backend import Pixels


def earlier_of(before: Pixels, now: Pixels, result: Pixels) -> Earlier:
    """`result`, the one of the frame `before`, moved to where the frame `now` shows its parts.

    All three are (height, width, 3) float32 sRGB in [0, 1], of one size. Deterministic: the same
    frames give the same bits. Raises PictureError if OpenCV is not installed.
    """
    raise NotImplementedError
