"""The loss of one level: the distance of a picture to the content's shapes and the styles'
statistics.

If the recipe says so, terms are relative, so that the same weights suit all pairs, sizes and
networks: a style layer is divided by its distance for the content itself, a content layer by that
of a picture with the style's statistics that is independent of the content.

The losses depend on a picture only by means over positions. With tiles, a first pass computes these
for the whole picture, and a second pass computes the gradient of each tile.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nstd.backends.gatys.content_term import ContentTerm
from nstd.backends.gatys.iterate import Point
from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.regions import Region
from nstd.backends.gatys.statistic import mixed
from nstd.backends.gatys.style_term import StyleTerm
from nstd.backends.gatys.target_cache import TargetCache
from nstd.backends.gatys.targets import targets_of
from nstd.backends.gatys.temporal import Memory
from nstd.backends.gatys.tiled_features import (
    Sums,
    View,
    added,
    number_of,
)
from nstd.backends.gatys.tiles import Tile
from nstd.backends.gatys.total_variation import total_variation

BOX = 200.0
"""Weight of the mean square of the values outside [0, 1]. They are clamped in the end; without this
term, the clamped picture would not be the best one."""


class Objective:
    """The loss and its gradient for pictures of one size."""

    @torch.no_grad()
    def __init__(
        self,
        network: Network,
        content: Tensor,
        regions: Sequence[Region],
        options: Options,
        cache: TargetCache | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Compute the targets of `content` (1, 3, H, W) and of the paintings in its `regions`.

        `cache` may have those of the paintings; `memory` has the results of earlier frames.
        """
        self._options = options
        self._memory = memory
        self._picture = content
        height, width = content.shape[2:]
        view = View(network, options, [region.where for region in regions], (height, width))
        self._view = view
        start = view.sums_of(content, everywhere=True)
        targets = [targets_of(network, region, view.layers, options, cache) for region in regions]
        shares = [region.share for region in regions]
        self._styles = [
            (
                StyleTerm(network, start, target, options, number_of(region.where, number)),
                region.share / sum(shares),
            )
            for number, (region, target) in enumerate(zip(regions, targets, strict=True))
        ]
        _, content_layers = options.layers
        self._content = ContentTerm(
            network,
            start,
            content_layers,
            {
                layer: mixed([(t[layer], share) for t, share in zip(targets, shares, strict=True)])
                for layer in content_layers
            },
            relative=options.recipe.relative,
        )
        self._kept = self._reference(view.tiles[0]) if len(view.tiles) == 1 else None

    def __call__(self, picture: Tensor) -> Point:
        """The loss of `picture` (1, 3, H, W), with values about in [0, 1], and its gradient."""
        x = picture.detach()
        content, style, gradient = self._whole(x) if self._kept is not None else self._tiled(x)
        tv, smooth = _with_gradient(x, self._options.recipe.diagonals)
        gradient.add_(smooth, alpha=self._options.recipe.tv_weight)
        excess = x - x.clamp(0, 1)
        gradient.add_(excess, alpha=2 * BOX / x.numel())
        total = self._total(content, style) + self._options.recipe.tv_weight * tv
        total = total + BOX * excess.square_().mean()
        parts = {"content": content, "style": style, "tv": tv}
        if self._memory is not None:
            weight = self._options.temporal_weight * self._memory.hold
            parts["temporal"] = self._memory.distance(x, gradient, weight)
            total = total + weight * parts["temporal"]
        # One transfer to the host for all values; the maximum is NaN if any value is.
        values = torch.stack([total, *parts.values(), gradient.abs().amax()]).detach()
        *terms, largest = values.tolist()
        named = dict(zip(("total", *parts), terms, strict=True))
        finite = abs(named["total"]) + largest < float("inf")
        return Point(x, named["total"], gradient, named, finite)

    def _whole(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both losses and the gradient of a picture in one tile."""
        x = x.detach().requires_grad_()
        content, style = self._losses(self._look(x, self._view.tiles[0]))
        (gradient,) = torch.autograd.grad(self._total(content, style), x)
        return content, style, gradient.contiguous()

    def _tiled(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same in two passes over several tiles."""
        with torch.no_grad():
            sums = added(self._look(tile.seen.of(x), tile) for tile in self._view.tiles)
        for value in sums.values():
            value.requires_grad_()
        content, style = self._losses(sums)
        total = self._total(content, style)
        slopes = torch.autograd.grad(total, [*sums.values()], materialize_grads=True)
        by_key = dict(zip(sums, slopes, strict=True))
        gradient = torch.zeros_like(x)
        for tile in self._view.tiles:
            part = tile.seen.of(x).clone().requires_grad_()
            found = self._look(part, tile)
            upstream = [by_key[key] for key in found]
            (own,) = torch.autograd.grad([*found.values()], part, upstream)
            tile.seen.of(gradient).add_(own)
        return content, style, gradient

    def _look(self, part: Tensor, tile: Tile) -> Sums:
        references = self._reference(tile) if self._kept is None else self._kept
        return self._view.sums(self._view.features(part, tile), references, tile)

    @torch.no_grad()
    def _reference(self, tile: Tile) -> dict[str, Tensor]:
        """The tensors that the content layers of a tile are compared with."""
        _, layers = self._options.layers
        part = tile.seen.of(self._picture)
        return self._content.references(self._view.features(part, tile, layers))

    def _losses(self, sums: Sums) -> tuple[Tensor, Tensor]:
        style = torch.stack([share * term(sums) for term, share in self._styles]).sum()
        return self._content(sums), style

    def _total(self, content: Tensor, style: Tensor) -> Tensor:
        return self._options.recipe.content_weight * content + self._options.style_weight * style


def _with_gradient(x: Tensor, diagonals: float) -> tuple[Tensor, Tensor]:
    """Total variation and its gradient."""
    x = x.detach().requires_grad_()
    tv = total_variation(x, diagonals)
    (gradient,) = torch.autograd.grad(tv, x)
    return tv.detach(), gradient
