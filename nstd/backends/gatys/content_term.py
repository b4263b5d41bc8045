"""The content term: how far features are from the content's, position by position.

Gatys et al. (2016), equation 1, as a mean: its size does not depend on the resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nstd.backends.gatys.networks import Network
from nstd.backends.gatys.statistic import Statistic, as_map, by_position
from nstd.backends.gatys.tensors import EPSILON, wide
from nstd.backends.gatys.tiled_features import EVERYWHERE, Sums, statistic_of

FLOOR = 1e-3  # a turned layer's scale is at least this share of its features' size: rounding


class ContentLayer(Protocol):
    """A content layer."""

    def reference(self, content: Tensor) -> Tensor:
        """What features are compared with where the content's are `content` (1, C, H, W)."""
        ...

    def distance(self, sums: Sums, layer: str) -> Tensor:
        """The distance that the means over positions stand for, a scalar."""
        ...


@dataclass(frozen=True)
class PlainContent:
    """The mean squared difference over `scale`."""

    scale: Tensor | float

    def reference(self, content: Tensor) -> Tensor:
        """The content's features themselves."""
        return content

    def distance(self, sums: Sums, layer: str) -> Tensor:
        """The gap."""
        return sums["gap", layer, EVERYWHERE] / self.scale


@dataclass(frozen=True)
class Turned:
    """The same after a map A, without taking the features through it.

    For features F and the content's P it is tr(M F F^T) - 2 <M P, F> + tr(M P P^T), M = A^T A.
    The style needs F F^T as well, and both gradients are then one product. `metric` is M, `own`
    the last sum.
    """

    metric: Tensor
    own: Tensor
    scale: Tensor | float

    def reference(self, content: Tensor) -> Tensor:
        """M P."""
        turned = by_position(wide(content)) @ self.metric
        return as_map(turned, content).to(content.dtype)

    def distance(self, sums: Sums, layer: str) -> Tensor:
        """By way of the statistic; rounding would take it below 0."""
        statistic = statistic_of(sums, layer, EVERYWHERE)
        overlap = sums["overlap", layer, EVERYWHERE]
        whole = (self.metric * statistic.second).sum() - 2 * overlap + self.own
        return whole.clamp(min=0) / len(self.metric) / self.scale


class ContentTerm:
    """The mean of the layers' distances to one content."""

    def __init__(
        self,
        network: Network,
        content: Mapping[str, Statistic],
        styles: Mapping[str, Statistic],
        *,
        relative: bool,
    ) -> None:
        """`content` are its statistics, `styles` those of the paintings, by layer.

        Relative distances are 1 where a picture has the style's statistics and nothing of the
        content's: two maps that have nothing to do with each other are as far apart as their
        variances together.
        """
        self._layers = {
            name: _layer(statistic, styles[name], network.turn(name), relative=relative)
            for name, statistic in content.items()
        }

    def references(self, content: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
        """What features are compared with, given those of the content."""
        return {name: self._layers[name].reference(features) for name, features in content}

    def __call__(self, sums: Sums) -> Tensor:
        """The distance, a scalar."""
        return torch.stack(
            [layer.distance(sums, name) for name, layer in self._layers.items()]
        ).mean()


def _layer(
    content: Statistic, style: Statistic, turn: Tensor | None, *, relative: bool
) -> ContentLayer:
    variances = content.covariance + style.covariance
    channels = len(variances)
    if turn is None:
        return PlainContent(variances.trace() / channels + EPSILON if relative else 1.0)
    metric = turn.T @ turn
    own = (metric * content.second).sum()
    scale = ((metric * variances).sum() + FLOOR * own) / channels + EPSILON if relative else 1.0
    return Turned(metric, own, scale)
