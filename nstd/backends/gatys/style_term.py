"""The style term of one region: how far its features are from the statistics of its paintings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nstd.backends.gatys.networks import Network
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.regions import Region
from nstd.backends.gatys.statistic import Statistic, mixed, statistic
from nstd.backends.gatys.style_losses import STYLE_LOSSES, StyleLoss

FLOOR = 1e-3  # a style layer's scale is at least this share of its target's size
EPSILON = 1e-8  # keeps 0 / 0 at 0


@dataclass(frozen=True)
class Layer:
    """A style layer: its loss, what the loss is divided by, and what turns its features."""

    loss: StyleLoss
    scale: Tensor | float
    turn: Tensor | None

    def distance(self, statistic: Statistic) -> Tensor:
        """The relative loss of such a statistic: a scalar."""
        return self.loss(statistic.turned(self.turn)) / self.scale


class StyleTerm:
    """The weighted mean of the layers' losses inside a region."""

    def __init__(
        self,
        network: Network,
        content: Mapping[str, Tensor],
        region: Region,
        targets: Mapping[str, Statistic],
        options: Options,
    ) -> None:
        """`content` are the features at the start, `targets` those of the paintings, by layer."""
        self._where = region.where
        self._options = options
        names, _ = options.layers
        self._layers = {
            name: self._layer(content[name], targets[name], network.turn(name)) for name in names
        }
        weights = options.recipe.layer_weights
        self._weights = region.paintings[0].picture.new_tensor([weights.get(n, 1.0) for n in names])

    def __call__(self, features: Mapping[str, Tensor], seen: Mapping[str, Statistic]) -> Tensor:
        """The distance of `features`, by layer, as a scalar.

        `seen` are statistics of whole layers that are known already.
        """
        losses = [
            layer.distance(
                seen[name]
                if self._where is None and name in seen
                else statistic(features[name], self._where)
            )
            for name, layer in self._layers.items()
        ]
        return (torch.stack(losses) * self._weights).sum() / self._weights.sum()

    def _layer(self, start: Tensor, target: Statistic, turn: Tensor | None) -> Layer:
        """The loss towards `target`, relative to that at `start`."""
        target = target.turned(turn)
        layer = Layer(STYLE_LOSSES[self._options.style_loss_used](target), 1.0, turn)
        if not self._options.recipe.relative:
            return layer
        nothing = Statistic(torch.zeros_like(target.mean), torch.zeros_like(target.second))
        scale = layer.distance(statistic(start, self._where)) + FLOOR * layer.loss(nothing)
        return replace(layer, scale=scale + EPSILON)


def targets_of(network: Network, region: Region, layers: Collection[str]) -> dict[str, Statistic]:
    """The statistic of all paintings of `region` together, by layer."""
    parts: dict[str, list[tuple[Statistic, float]]] = {layer: [] for layer in layers}
    for painting in region.paintings:
        features = network.features(painting.picture, layers)
        for layer in layers:
            parts[layer].append((statistic(features[layer], painting.mask), painting.weight))
    return {layer: mixed(each) for layer, each in parts.items()}
