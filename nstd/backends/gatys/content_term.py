"""The content term: how far features are from the content's, position by position.

Gatys et al. (2016), equation 1, as a mean: its size does not depend on the resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nstd.backends.gatys.networks import Network
from nstd.backends.gatys.statistic import Statistic, by_position, compared, statistic
from nstd.backends.gatys.tensors import wide

FLOOR = 1e-3  # a turned layer's scale is at least this share of its features' size: rounding
EPSILON = 1e-8  # keeps 0 / 0 at 0


class Layer(Protocol):
    """A content layer: the distance to its target."""

    def __call__(self, features: Tensor) -> tuple[Tensor, Statistic | None]:
        """The distance of `features`, a scalar, and their statistic where it was needed."""
        ...


@dataclass(frozen=True)
class Plain:
    """The mean squared difference to `target` (1, C, H, W), over `scale`."""

    target: Tensor
    scale: Tensor | float

    def __call__(self, features: Tensor) -> tuple[Tensor, None]:
        """One pass over the features."""
        return wide(features - self.target).square().mean() / self.scale, None


@dataclass(frozen=True)
class Turned:
    """The same after a map A, without taking the features through it.

    For features F and the content's P it is tr(M F F^T) - 2 <M P, F> + tr(M P P^T), M = A^T A.
    The style needs F F^T as well, and both gradients are then one product. `metric` is M,
    `reference` M P, `own` the last sum.
    """

    metric: Tensor
    reference: Tensor
    own: Tensor
    scale: Tensor | float

    def __call__(self, features: Tensor) -> tuple[Tensor, Statistic]:
        """By way of the statistic."""
        found, overlap = compared(features, self.reference)
        whole = (self.metric * found.second).sum() - 2 * overlap + self.own
        return whole.clamp(min=0) / len(self.metric) / self.scale, found  # rounding goes below


class ContentTerm:
    """The mean of the layers' distances to one content."""

    def __init__(
        self,
        network: Network,
        content: Mapping[str, Tensor],
        styles: Mapping[str, Statistic],
        *,
        relative: bool,
    ) -> None:
        """`content` are its features, `styles` the statistics of the paintings, by layer.

        Relative distances are 1 where a picture has the style's statistics and nothing of the
        content's: two maps that have nothing to do with each other are as far apart as their
        variances together.
        """
        self._layers = {
            name: _layer(features, styles[name], network.turn(name), relative=relative)
            for name, features in content.items()
        }

    def __call__(self, features: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Statistic]]:
        """The distance of `features`, a scalar, and the statistics that were taken by the way."""
        seen, distances = {}, []
        for name, layer in self._layers.items():
            distance, found = layer(features[name])
            distances.append(distance)
            if found is not None:
                seen[name] = found
        return torch.stack(distances).mean(), seen


def _layer(target: Tensor, style: Statistic, turn: Tensor | None, *, relative: bool) -> Layer:
    found = statistic(wide(target))
    variances = found.covariance + style.covariance
    channels = len(variances)
    if turn is None:
        return Plain(target, variances.trace() / channels + EPSILON if relative else 1.0)
    metric = turn.T @ turn
    _, _, height, width = target.shape
    reference = (by_position(wide(target)) @ metric).view(1, height, width, channels)
    own = (metric * found.second).sum()
    scale = ((metric * variances).sum() + FLOOR * own) / channels + EPSILON if relative else 1.0
    return Turned(metric, reference.permute(0, 3, 1, 2).to(target.dtype), own, scale)
