"""The content term: the distance of features to those of the content, position by position.

Gatys et al. (2016), equation 1, as a mean, so that it does not depend on the resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.statistic import Statistic, as_map, by_position
from nstd.backends.gatys.structure import StructureContent
from nstd.backends.gatys.tensors import EPSILON, wide
from nstd.backends.gatys.tiled_features import EVERYWHERE, Sums, statistic_of

FLOOR = 1e-3  # least scale of a turned layer, relative to its features: rounding


class ContentLayer(Protocol):
    """A content layer."""

    def reference(self, content: Tensor) -> Tensor | None:
        """The tensor that features are compared with, from the content's features (1, C, H, W)."""
        ...

    def distance(self, sums: Sums, layer: str) -> Tensor:
        """The distance, a scalar, computed from means over positions."""
        ...


@dataclass(frozen=True)
class PlainContent:
    """The mean squared difference, divided by `scale`."""

    scale: Tensor | float

    def reference(self, content: Tensor) -> Tensor:
        """The content's features themselves."""
        return content

    def distance(self, sums: Sums, layer: str) -> Tensor:
        """The gap."""
        return sums["gap", layer, EVERYWHERE] / self.scale


@dataclass(frozen=True)
class Turned:
    """The same after a linear map A, without applying it to the features.

    For features F and the content's P it is tr(M F F^T) - 2 <M P, F> + tr(M P P^T), M = A^T A.
    The style term also needs F F^T, so that both gradients are one product. `metric` is M, `own`
    is the last sum.
    """

    metric: Tensor
    own: Tensor
    scale: Tensor | float

    def reference(self, content: Tensor) -> Tensor:
        """M P."""
        turned = by_position(wide(content)) @ self.metric
        return as_map(turned, content).to(content.dtype)

    def distance(self, sums: Sums, layer: str) -> Tensor:
        """Computed from the statistic; limited to 0, which rounding could make negative."""
        statistic = statistic_of(sums, layer, EVERYWHERE)
        overlap = sums["overlap", layer, EVERYWHERE]
        whole = (self.metric * statistic.second).sum() - 2 * overlap + self.own
        return whole.clamp(min=0) / len(self.metric) / self.scale


class ContentTerm:
    """The mean of the layers' distances to one content."""

    def __init__(
        self,
        network: Network,
        start: Sums,
        layers: Sequence[str],
        styles: Mapping[str, Statistic],
        *,
        relative: bool,
    ) -> None:
        """`start` are the content's sums, `styles` the statistics of the paintings, by layer.

        A relative distance is 1 for a picture that has the style's statistics and is independent of
        the content: the mean squared distance of two independent maps is the sum of their
        variances.
        """
        self._layers = {
            name: _layer(start, name, styles[name], network.turn(name), relative=relative)
            for name in layers
        }

    def references(self, content: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors that features are compared with, from the features of the content."""
        found = ((name, self._layers[name].reference(features)) for name, features in content)
        return {name: reference for name, reference in found if reference is not None}

    def __call__(self, sums: Sums) -> Tensor:
        """The distance, a scalar."""
        return torch.stack(
            [layer.distance(sums, name) for name, layer in self._layers.items()]
        ).mean()


def _layer(
    start: Sums, layer: str, style: Statistic, turn: Tensor | None, *, relative: bool
) -> ContentLayer:
    if ("cells", layer, EVERYWHERE) in start:
        return StructureContent.of(start["cells", layer, EVERYWHERE], turn, relative=relative)
    content = statistic_of(start, layer, EVERYWHERE)
    variances = content.covariance + style.covariance
    channels = len(variances)
    if turn is None:
        return PlainContent(variances.trace() / channels + EPSILON if relative else 1.0)
    metric = turn.T @ turn
    own = (metric * content.second).sum()
    scale = ((metric * variances).sum() + FLOOR * own) / channels + EPSILON if relative else 1.0
    return Turned(metric, own, scale)
