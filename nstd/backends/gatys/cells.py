"""Means of features over the cells of a lattice, gathered over the tiles of a picture.

Means, because single positions would show in the picture as a lattice of points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nstd.backends.gatys.statistic import by_position
from nstd.backends.gatys.tensors import wide
from nstd.backends.gatys.tiles import Tile

MOST = 1024
"""About the most cells of a layer: what compares all with each other needs their square."""


@dataclass(frozen=True)
class Cells:
    """The cells of a layer: the number of each position's cell (1, 1, H, W), and the positions of
    each cell (N,)."""

    numbers: Tensor
    sizes: Tensor

    @classmethod
    def of(cls, height: int, width: int) -> Cells:
        """Those of a layer with this many positions; about square."""
        scale = min(1.0, math.sqrt(MOST / (height * width)))
        rows, columns = (max(1, round(side * scale)) for side in (height, width))
        row = torch.arange(height) * rows // height
        column = torch.arange(width) * columns // width
        numbers = row[:, None] * columns + column
        return cls(numbers[None, None], numbers.flatten().bincount())

    def means(self, features: Tensor, tile: Tile, stride: int) -> Tensor:
        """The part of the cells' means (N, C) that comes from the features (1, C, h, w) of the kept
        part of `tile`; the parts of all tiles are to be added."""
        own = by_position(wide(features))
        numbers = tile.place(self.numbers, stride).flatten().to(own.device)
        sums = own.new_zeros(len(self.sizes), own.shape[1]).index_add(0, numbers, own)
        return sums / self.sizes.to(own)[:, None]
