"""Small copies of frames."""

from __future__ import annotations

from nstd.images.film.opencv import load_cv2
from nstd.images.model import Array


def smaller(pixels: Array, side: int) -> Array:
    """(height, width, 3) sRGB pixels in [0, 1], reduced so that no side is longer than `side`."""
    height, width, _ = pixels.shape
    if max(height, width) <= side:
        return pixels
    cv2, scale = load_cv2(), side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    reduced: Array = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return reduced
