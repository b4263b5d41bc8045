"""The registry of style losses: distances between the statistics of a layer and of the style."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nstd.backends.gatys.statistic import Statistic
from nstd.backends.gatys.wasserstein import Wasserstein


class StyleLoss(Protocol):
    """The distance to one target, which is prepared once."""

    def __call__(self, statistic: Statistic) -> Tensor:
        """The distance of `statistic` to the target: a scalar, 0 at the target, never negative."""
        ...


class MakeStyleLoss(Protocol):
    """Prepares a target; the value of a row of the registry.

    Both statistics are compared after the map `turn` (C, C); None: no map.
    """

    def __call__(self, target: Statistic, turn: Tensor | None = None) -> StyleLoss: ...


class Gram:
    """The squared Frobenius distance of Gram matrices.

    Gatys et al. (2016), equation 4, without its constant 1 / (4 C^2) and with the Gram matrix as
    a mean over positions.
    """

    def __init__(self, target: Statistic, turn: Tensor | None = None) -> None:
        self._target = target.second
        self._metric = _metric(turn)

    def __call__(self, statistic: Statistic) -> Tensor:
        """The sum over all pairs of channels."""
        return _squared(statistic.second - self._target, self._metric)


class Moments:
    """The squared distance of covariances plus that of means."""

    def __init__(self, target: Statistic, turn: Tensor | None = None) -> None:
        self._mean, self._covariance = target.mean, target.covariance
        self._metric = _metric(turn)

    def __call__(self, statistic: Statistic) -> Tensor:
        """The sum over all pairs of channels and all channels."""
        off = statistic.mean - self._mean
        turned = off if self._metric is None else self._metric @ off
        return torch.dot(off, turned) + _squared(
            statistic.covariance - self._covariance, self._metric
        )


def _metric(turn: Tensor | None) -> Tensor | None:
    """T^T T of a map T: squared lengths after T are products with it."""
    return None if turn is None else turn.T @ turn


def _squared(difference: Tensor, metric: Tensor | None) -> Tensor:
    """The squared Frobenius norm of the symmetric matrix T D T^T, for a metric T^T T."""
    if metric is None:
        return difference.square().sum()
    found: Tensor = _Squared.apply(difference, metric)
    return found


class _Squared(torch.autograd.Function):
    """tr(D M D M), whose gradient 2 M D M is known with the value.

    That takes two products of matrices; T D T^T and its gradient take four.
    """

    @staticmethod
    def forward(ctx: Any, difference: Tensor, metric: Tensor) -> Tensor:
        product = metric @ difference @ metric
        ctx.save_for_backward(product)
        return torch.dot(product.flatten(), difference.flatten())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (product,) = ctx.saved_tensors
        return 2 * slope * product, None


STYLE_LOSSES: dict[str, MakeStyleLoss] = {"gram": Gram, "moments": Moments, "w2": Wasserstein}
