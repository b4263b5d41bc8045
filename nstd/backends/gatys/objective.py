"""The loss of one level: how far a picture is from the content's shapes and the styles' statistics.

Every term is relative, so that one set of weights suits all pairs, sizes and networks: a style
layer to its distance at the start, where the picture is the content; the content to its spread.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nstd.backends.gatys.iterate import Point
from nstd.backends.gatys.losses import (
    EPSILON,
    STATISTICS,
    content_loss,
    spread,
    style_distance,
    total_variation,
)
from nstd.backends.gatys.networks import Network
from nstd.backends.gatys.options import Options

FLOOR = 1e-3  # a style layer's scale is at least this share of its target's size


class Objective:
    """The loss and its gradient for pictures of one size."""

    @torch.no_grad()
    def __init__(
        self,
        network: Network,
        content: Tensor,
        styles: Sequence[tuple[Tensor, float]],
        options: Options,
    ) -> None:
        """Take the targets of `content` (1, 3, H, W) and `styles`: pictures and weights."""
        self._network = network
        self._options = options
        self._style_layers, self._content_layer = options.layers
        self._layers = {*self._style_layers, self._content_layer}
        self._statistic = STATISTICS[options.style_loss_used]
        features = network.features(content, self._layers)
        self._content = features[self._content_layer]
        self._spread = spread(self._content)
        self._targets = self._mixed(styles)
        self._starts = {
            layer: style_distance(self._statistic(features[layer]), target)
            + FLOOR * target.square().sum()
            + EPSILON
            for layer, target in self._targets.items()
        }

    def __call__(self, picture: Tensor) -> Point:
        """The loss of `picture` (1, 3, H, W), values about [0, 1], and its gradient."""
        x = picture.detach().requires_grad_()
        content, style, tv = self._terms(x)
        weights = self._options
        total = (
            weights.content_weight * content + weights.style_weight * style + weights.tv_weight * tv
        )
        (gradient,) = torch.autograd.grad(total, x)
        # One transfer for all that the host must know; a NaN anywhere shows in the maximum.
        values = torch.stack([total, content, style, tv, gradient.abs().amax()]).detach()
        *terms, largest = values.tolist()
        named = dict(zip(("total", "content", "style", "tv"), terms, strict=True))
        finite = abs(named["total"]) + largest < float("inf")
        return Point(x.detach(), named["total"], gradient, named, finite)

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self._network.features(x, self._layers)
        content = content_loss(features[self._content_layer], self._content) / self._spread
        styles = [
            style_distance(self._statistic(features[layer]), target) / self._starts[layer]
            for layer, target in self._targets.items()
        ]
        return content, torch.stack(styles).mean(), total_variation(x)

    def _mixed(self, styles: Sequence[tuple[Tensor, float]]) -> dict[str, Tensor]:
        """The weighted mean of the styles' statistics, by layer."""
        total = sum(weight for _, weight in styles)
        mixed: dict[str, Tensor] = {}
        for picture, weight in styles:
            features = self._network.features(picture, self._style_layers)
            for layer in self._style_layers:
                part = self._statistic(features[layer]) * (weight / total)
                mixed[layer] = mixed[layer] + part if layer in mixed else part
        return mixed
