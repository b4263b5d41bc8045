"""The registry of style losses: distances between the statistics of a layer and of the style."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from nstd.backends.gatys.statistic import Statistic
from nstd.backends.gatys.wasserstein import Wasserstein


class StyleLoss(Protocol):
    """The distance to one target, which is prepared once."""

    def __call__(self, statistic: Statistic) -> Tensor:
        """The distance of `statistic` to the target: a scalar, 0 at the target, never negative."""
        ...


class MakeStyleLoss(Protocol):
    """Prepares a target; the value of a row of the registry."""

    def __call__(self, target: Statistic) -> StyleLoss: ...


class Gram:
    """The squared Frobenius distance of Gram matrices.

    Gatys et al. (2016), equation 4, without its constant 1 / (4 C^2) and with the Gram matrix as
    a mean over positions.
    """

    def __init__(self, target: Statistic) -> None:
        self._target = target.second

    def __call__(self, statistic: Statistic) -> Tensor:
        """The sum over all pairs of channels."""
        return (statistic.second - self._target).square().sum()


class Moments:
    """The squared distance of covariances plus that of means."""

    def __init__(self, target: Statistic) -> None:
        self._target = _side_by_side(target)

    def __call__(self, statistic: Statistic) -> Tensor:
        """The sum over all pairs of channels and all channels."""
        return (_side_by_side(statistic) - self._target).square().sum()


def _side_by_side(statistic: Statistic) -> Tensor:
    """Covariance and mean in one matrix, (C, C + 1)."""
    mean = statistic.mean[:, None]
    return torch.cat([statistic.second - mean @ mean.T, mean], 1)


STYLE_LOSSES: dict[str, MakeStyleLoss] = {"gram": Gram, "moments": Moments, "w2": Wasserstein}
