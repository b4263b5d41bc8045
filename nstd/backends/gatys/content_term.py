"""The content term: how far features are from the content's, position by position.

Gatys et al. (2016), equation 1, as a mean: its size does not depend on the resolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nstd.backends.gatys.networks import Network
from nstd.backends.gatys.statistic import Statistic, by_position, compared, statistic

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
        return (features - self.target).square().mean() / self.scale, None


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
        return whole / len(self.metric) / self.scale, found


class ContentTerm:
    """The mean of the layers' distances to one content."""

    def __init__(
        self,
        network: Network,
        content: Mapping[str, Tensor],
        layers: Sequence[str],
        *,
        relative: bool,
    ) -> None:
        """`content` are its features, by layer; `relative` distances are to their spread."""
        self._layers = {
            name: _layer(content[name], network.turn(name), relative=relative) for name in layers
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


def spread(features: Tensor) -> Tensor:
    """Variance over space of features (1, C, H, W), averaged over channels: a scalar."""
    return (features - features.mean((2, 3), keepdim=True)).square().mean()


def _layer(target: Tensor, turn: Tensor | None, *, relative: bool) -> Layer:
    if turn is None:
        return Plain(target, spread(target) + EPSILON if relative else 1.0)
    metric = turn.T @ turn
    _, channels, height, width = target.shape
    reference = (by_position(target) @ metric).view(1, height, width, channels)
    found = statistic(target)
    own = (metric * found.second).sum()
    variance = (metric * found.covariance).sum()
    scale = (variance + FLOOR * own) / channels + EPSILON if relative else 1.0
    return Turned(metric, reference.permute(0, 3, 1, 2), own, scale)
