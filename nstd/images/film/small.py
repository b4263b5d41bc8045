"""Small copies of frames."""

from __future__ import annotations

import numpy as np
from PIL import Image

from nstd.images.model import Array


def smaller(pixels: Array, side: int) -> Array:
    """(height, width, 3) sRGB pixels in [0, 1], reduced so that no side is longer than `side`."""
    height, width, _ = pixels.shape
    if max(height, width) <= side:
        return pixels
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
    reduced = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(reduced, np.float32) / np.float32(255)
