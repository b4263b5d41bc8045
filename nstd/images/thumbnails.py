"""Small WebP pictures of large float pictures, for the gallery."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Array = NDArray[np.float32]

_QUALITY, _METHOD = 82, 2
_TILE = 96
"""The side, in pixels, of each picture in a strip."""


def encode_view(pixels: Array, side: int) -> bytes:
    """(height, width, 3) sRGB pixels in [0, 1] as WebP, the longest side at most `side`."""
    image = _small(pixels, side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _webp(image)


def encode_strip(pictures: Sequence[Array]) -> bytes:
    """The middle squares of several pictures, side by side, as WebP."""
    strip = Image.new("RGB", (_TILE * len(pictures), _TILE))
    for number, pixels in enumerate(pictures):
        square = ImageOps.fit(_small(pixels, 4 * _TILE), (_TILE, _TILE), Image.Resampling.LANCZOS)
        strip.paste(square, (_TILE * number, 0))
    return _webp(strip)


def _small(pixels: Array, side: int) -> Image.Image:
    """The picture reduced by averaging blocks, still at least twice as large as `side` if possible:
    this avoids a full copy, which may take a gigabyte."""
    block = max(1, max(pixels.shape[:2]) // (2 * side))
    block = min(block, *pixels.shape[:2])
    if block > 1:
        height, width = (length // block for length in pixels.shape[:2])
        whole = pixels[: height * block, : width * block]
        pixels = whole.reshape(height, block, width, block, 3).mean(axis=(1, 3))
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


def _webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=_METHOD)
    return buffer.getvalue()
