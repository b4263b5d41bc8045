"""The style term of one region: the distance of its features to the statistics of its paintings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.statistic import Statistic
from nstd.backends.gatys.style_losses import STYLE_LOSSES, StyleLoss
from nstd.backends.gatys.tensors import EPSILON
from nstd.backends.gatys.tiled_features import Sums, statistic_of

FLOOR = 1e-3  # least scale of a style layer, relative to its target


@dataclass(frozen=True)
class StyleLayer:
    """A style layer: its loss, and the scale that divides the loss."""

    loss: StyleLoss
    scale: Tensor | float

    def distance(self, statistic: Statistic) -> Tensor:
        """The relative loss of a statistic, a scalar."""
        return self.loss(statistic) / self.scale


class StyleTerm:
    """The weighted mean of the layers' losses inside a region."""

    def __init__(
        self,
        network: Network,
        start: Sums,
        targets: Mapping[str, Statistic],
        options: Options,
        number: int,
    ) -> None:
        """`start` has the content's sums, `targets` the paintings' statistics by layer; see
        `number_of`."""
        self._number = number
        self._options = options
        names, _ = options.layers
        self._layers = {
            name: self._layer(statistic_of(start, name, number), targets[name], network.turn(name))
            for name in names
        }
        first = targets[names[0]].mean
        weights = options.recipe.layer_weights
        self._weights = first.new_tensor([weights.get(n, 1.0) for n in names])

    def __call__(self, sums: Sums) -> Tensor:
        """The distance of a picture with these sums, a scalar."""
        losses = [
            layer.distance(statistic_of(sums, name, self._number))
            for name, layer in self._layers.items()
        ]
        return (torch.stack(losses) * self._weights).sum() / self._weights.sum()

    def _layer(self, start: Statistic, target: Statistic, turn: Tensor | None) -> StyleLayer:
        """The loss with the target `target`, relative to its value for `start`."""
        layer = StyleLayer(STYLE_LOSSES[self._options.style_loss_used](target, turn), 1.0)
        if not self._options.recipe.relative:
            return layer
        nothing = Statistic(torch.zeros_like(target.mean), torch.zeros_like(target.second))
        scale = layer.distance(start) + FLOOR * layer.loss(nothing)
        return replace(layer, scale=scale + EPSILON)
