"""Finds the cuts of a film: where a new scene begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nstd.images.film.flow import boundaries, consistent, difference, flow_of, grey_of, warped
from nstd.images.film.opencv import load_cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nstd.backend import Pixels

SIDE = 128  # pixels of the longer side of the copies that are compared
BINS = 8  # of the histogram, for each channel
ALIKE = 0.05  # of [0, 1]: frames whose mean difference is smaller are one scene
SAME_COLOURS = 0.5  # of [0, 1]: histograms that have more in common may be one scene
FOLLOWED, FOLLOWED_ELSE = 0.15, 0.3
"""The share of the frame that must be found in the one before: with the same colours, or others."""


def is_cut(before: Pixels, now: Pixels) -> bool:
    """Whether the frame `now` begins another scene than that of the frame `before`.

    It does if little of it is found again by optical flow; more has to be found if the colours have
    changed as well. Both are (height, width, 3) float32 sRGB in [0, 1], of one size. Raises
    PictureError if OpenCV is not installed.
    """
    one, other = small(before), small(now)
    if np.abs(one - other).mean() < ALIKE:
        return False
    least = FOLLOWED if common(one, other) > SAME_COLOURS else FOLLOWED_ELSE
    return followed(one, other) < least


def small(pixels: Pixels) -> Pixels:
    """A copy of at most SIDE pixels; its noise is averaged."""
    cv2 = load_cv2()
    height, width, _ = pixels.shape
    factor = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    copy: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return copy


def common(one: Pixels, other: Pixels) -> float:
    """The share of the colours that two pictures have in common, in [0, 1]."""
    return float(np.minimum(_histogram(one), _histogram(other)).sum())


def followed(before: Pixels, now: Pixels) -> float:
    """The share of `now` that the optical flow finds in `before`, where it looks the same."""
    grey = grey_of(before), grey_of(now)
    back, forth = flow_of(*reversed(grey)), flow_of(*grey)
    off = difference(now, warped(before, back))
    found = consistent(back, forth) & ~boundaries(back) & (off < 2 * ALIKE)
    return float(found.mean())


def _histogram(pixels: Pixels) -> NDArray[np.float64]:
    places = (pixels.reshape(-1, 3) * BINS).astype(int).clip(0, BINS - 1)
    counts = np.bincount(places @ (BINS**2, BINS, 1), minlength=BINS**3)
    return np.asarray(counts / counts.sum())
