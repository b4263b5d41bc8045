"""The content's structure: how alike its places are to each other, not what they look like.

Kolkin, Salavon, Shakhnarovich (CVPR 2019), "Style Transfer by Relaxed Optimal Transport and
Self-Similarity", section 2.3: the cosine distances between the features of any two places, each
column divided by its sum. The paper draws points at every step; here a place is the mean of a cell,
so that the loss stays the same during the descent.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys.tensors import EPSILON
from nstd.backends.gatys.tiled_features import EVERYWHERE, Sums


@dataclass(frozen=True)
class StructureContent:
    """The sum over a column of |D - D*|, as a mean of all columns, divided by `scale`.

    `distances` are D* (N, N), those of the content; `turn` is the map of the features (C, C).
    """

    distances: Tensor
    turn: Tensor | None
    scale: Tensor | float

    @classmethod
    def of(cls, cells: Tensor, turn: Tensor | None, *, relative: bool) -> StructureContent:
        """From the content's cells (N, C). A relative distance is 1 for the same cells in another
        order, which is drawn once and for all."""
        own = self_distances(cells, turn)
        if not relative:
            return cls(own, turn, 1.0)
        order = torch.randperm(len(own), generator=torch.Generator().manual_seed(0)).to(own.device)
        return cls(own, turn, _difference(own, own[order][:, order]) + EPSILON)

    def reference(self, content: Tensor) -> None:
        """Nothing: places are compared with each other, and not with those of the content."""

    def distance(self, sums: Sums, layer: str) -> Tensor:
        """From 0 on; without `scale` at most 2."""
        cells = sums["cells", layer, EVERYWHERE]
        return _difference(self_distances(cells, self.turn), self.distances) / self.scale


def self_distances(cells: Tensor, turn: Tensor | None) -> Tensor:
    """The cosine distances between `cells` (N, C) after `turn`; each column's sum is 1: (N, N)."""
    turned = cells if turn is None else cells @ turn.T
    directions = functional.normalize(turned, dim=1, eps=EPSILON)
    distances = 1 - directions @ directions.T
    return distances / distances.sum(0).clamp(min=EPSILON)


def _difference(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().sum(0).mean()
