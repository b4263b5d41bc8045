"""What a style is to a network: the first two moments of its features over positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

NOTHING = 1e-8  # of total weight: a mask this empty has no statistic


@dataclass(frozen=True)
class Statistic:
    """The moments of C channels: their `mean` (C,), and `second` (C, C), the mean of products.

    `second` is the Gram matrix F F^T / (H W): Gatys et al. (2016), equation 3, as a mean over
    positions, so that it does not depend on the resolution.
    """

    mean: Tensor
    second: Tensor

    @property
    def covariance(self) -> Tensor:
        """The covariance (C, C) of the channels over positions."""
        return self.second - torch.outer(self.mean, self.mean)


def statistic(features: Tensor, weight: Tensor | None = None) -> Statistic:
    """The moments of `features` (1, C, H, W).

    `weight` (1, 1, h, w), values >= 0, says how much each position counts; it is averaged down
    to the layer. Where it is 0 everywhere, so are the moments.
    """
    flat = features.flatten(2)[0]
    if weight is None:
        return Statistic(flat.mean(1), flat @ flat.T / flat.shape[1])
    share = functional.interpolate(weight, features.shape[2:], mode="area").flatten()
    share = share / share.sum().clamp(min=NOTHING)
    return Statistic(flat @ share, flat * share @ flat.T)


def mixed(parts: Sequence[tuple[Statistic, float]]) -> Statistic:
    """The moments of a mixture, given those of its parts and their relative weights."""
    total = sum(weight for _, weight in parts)
    mean = sum(part.mean * (weight / total) for part, weight in parts)
    second = sum(part.second * (weight / total) for part, weight in parts)
    assert isinstance(mean, Tensor)
    assert isinstance(second, Tensor)
    return Statistic(mean, second)
