"""The loss of one level: how far a picture is from the content's shapes and the styles' statistics.

Terms are relative where the recipe says so, and one set of weights then suits all pairs, sizes and
networks: a style layer to its distance where the picture is the content, a content layer to that
of a picture in the style that has nothing to do with the content.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nstd.backends.gatys.content_term import ContentTerm
from nstd.backends.gatys.iterate import Point
from nstd.backends.gatys.networks import Network
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.regions import Region
from nstd.backends.gatys.statistic import mixed
from nstd.backends.gatys.style_term import StyleTerm, targets_of
from nstd.backends.gatys.total_variation import total_variation


class Objective:
    """The loss and its gradient for pictures of one size."""

    @torch.no_grad()
    def __init__(
        self,
        network: Network,
        content: Tensor,
        regions: Sequence[Region],
        options: Options,
    ) -> None:
        """Take the targets of `content` (1, 3, H, W) and of the paintings in its `regions`."""
        self._network = network
        self._options = options
        self._recipe = options.recipe
        style_layers, content_layers = options.layers
        self._needed = {*style_layers, *content_layers}
        features = network.features(content, self._needed)
        targets = [targets_of(network, region, self._needed) for region in regions]
        shares = [region.share for region in regions]
        self._styles = [
            (StyleTerm(network, features, region, target, options), region.share / sum(shares))
            for region, target in zip(regions, targets, strict=True)
        ]
        self._content = ContentTerm(
            network,
            {layer: features[layer] for layer in content_layers},
            {
                layer: mixed([(t[layer], share) for t, share in zip(targets, shares, strict=True)])
                for layer in content_layers
            },
            relative=self._recipe.relative,
        )

    def __call__(self, picture: Tensor) -> Point:
        """The loss of `picture` (1, 3, H, W), values about [0, 1], and its gradient."""
        x = picture.detach().requires_grad_()
        content, style, tv = self._terms(x)
        weights = self._recipe
        total = (
            weights.content_weight * content
            + self._options.style_weight * style
            + weights.tv_weight * tv
        )
        (gradient,) = torch.autograd.grad(total, x)
        gradient = gradient.contiguous()
        # One transfer for all that the host must know; a NaN anywhere shows in the maximum.
        values = torch.stack([total, content, style, tv, gradient.abs().amax()]).detach()
        *terms, largest = values.tolist()
        named = dict(zip(("total", "content", "style", "tv"), terms, strict=True))
        finite = abs(named["total"]) + largest < float("inf")
        return Point(x.detach(), named["total"], gradient, named, finite)

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self._network.features(x, self._needed)
        content, seen = self._content(features)
        style = torch.stack([share * term(features, seen) for term, share in self._styles]).sum()
        return content, style, total_variation(x, self._recipe.diagonals)
