"""Spots to compare at 100 %: those of a picture with the least and with the most detail."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 256
_STRIDE = 8


class Spot(NamedTuple):
    """The centre of a crop, as shares of the width and the height, for pictures of any size."""

    x: float
    y: float

    def cut(self, image: Image.Image, side: int = SIDE) -> Image.Image:
        """The square around the spot, or the part of it that is inside the picture."""
        width, height = image.size
        left, top = (
            round(min(max(0.0, middle * size - side / 2), max(0, size - side)))
            for middle, size in ((self.x, width), (self.y, height))
        )
        return image.crop((left, top, min(width, left + side), min(height, top + side)))


def find_spots(image: Image.Image, side: int = SIDE) -> tuple[Spot, Spot]:
    """The squares of an RGB picture with the least and the most detail.

    Detail is the mean absolute difference of neighbouring pixels' brightness.
    """
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    detail = np.zeros_like(grey)
    detail[:, 1:] += np.abs(np.diff(grey, axis=1))
    detail[1:] += np.abs(np.diff(grey, axis=0))
    height, width = grey.shape
    high, wide = min(side, height), min(side, width)
    means = _window_means(detail, high, wide)[::_STRIDE, ::_STRIDE]
    places = (np.unravel_index(index, means.shape) for index in (means.argmin(), means.argmax()))
    least, most = (
        Spot((x * _STRIDE + wide / 2) / width, (y * _STRIDE + high / 2) / height) for y, x in places
    )
    return least, most


def _window_means(values: NDArray[np.float32], high: int, wide: int) -> NDArray[np.float64]:
    """The mean of each window completely inside `values`, by its upper left corner."""
    sums = np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    total = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    means: NDArray[np.float64] = total / (high * wide)
    return means
