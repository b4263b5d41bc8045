"""The features of a picture for the losses: means over positions, summed over its tiles."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from torch import Tensor

from nstd.backends.gatys.cells import Cells
from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.statistic import Statistic, compared, gap, shares, weighted
from nstd.backends.gatys.tiles import Tile, positions, tiles_of

EVERYWHERE = -1  # used instead of the number of a region

Sums = dict[tuple[str, str, int], Tensor]
"""By kind (`mean`, `second`, `overlap`, `gap` or `cells`), layer and number of a region."""


class View:
    """Computes the features of pictures of one size by a network, tile by tile."""

    def __init__(
        self,
        network: Network,
        options: Options,
        wheres: Sequence[Tensor | None],
        size: Sequence[int],
        layers: tuple[Collection[str], Collection[str]] | None = None,
    ) -> None:
        """`wheres` are the regions (1, 1, H, W) of the styles; None: everywhere.

        `layers` are the style and the content layers, if not those of `options`.
        """
        self._network = network
        self._style_layers, self._content_layers = layers or options.layers
        self.layers = {*self._style_layers, *self._content_layers}
        self._strides = {layer: options.spec.reaches[layer].stride for layer in self.layers}
        self._sizes = {
            layer: [positions(side, stride) for side in size]
            for layer, stride in self._strides.items()
        }
        self._masks = {
            (layer, number): shares(where, self._sizes[layer])
            for layer in self._style_layers
            for number, where in enumerate(wheres)
            if where is not None
        }
        compared_cells = self._content_layers if options.content_loss == "structure" else ()
        self._cells = {layer: Cells.of(*self._sizes[layer]) for layer in compared_cells}
        self._is_whole = any(where is None for where in wheres)
        self.tiles = tiles_of(options, *size)

    def features(
        self, part: Tensor, tile: Tile, layers: Collection[str] | None = None
    ) -> Iterator[tuple[str, Tensor]]:
        """By layer, the kept part of the features of `part` (1, 3, h, w), the seen part of `tile`.

        For all layers that the losses need, or for `layers`.
        """
        for layer, x in self._network.features(part, self.layers if layers is None else layers):
            yield layer, tile.crop(x, self._strides[layer])

    def sums_of(self, picture: Tensor, *, everywhere: bool = False) -> Sums:
        """The sums of a whole `picture` (1, 3, H, W), without references."""
        return added(
            self.sums(self.features(tile.seen.of(picture), tile), {}, tile, everywhere=everywhere)
            for tile in self.tiles
        )

    def sums(
        self,
        features: Iterable[tuple[str, Tensor]],
        references: Mapping[str, Tensor],
        tile: Tile,
        *,
        everywhere: bool = False,
    ) -> Sums:
        """The part of the means over the whole picture that comes from `features` of a tile.

        `references` are the tensors that content layers are compared with, if any; `everywhere`
        computes the statistics of all layers, also of those that no loss needs.
        """
        found: Sums = {}
        for layer, x in features:
            share = math.prod(x.shape[2:]) / math.prod(self._sizes[layer])
            reference = references.get(layer)
            by_place = layer in self._content_layers and layer not in self._cells
            turned = by_place and self._network.turn(layer) is not None
            if turned or everywhere or (self._is_whole and layer in self._style_layers):
                statistic, overlap = compared(x, reference if turned else None)
                found |= _named(layer, EVERYWHERE, statistic, share)
                if turned and reference is not None:
                    found["overlap", layer, EVERYWHERE] = overlap * share
            if not turned and reference is not None:
                found["gap", layer, EVERYWHERE] = gap(x, reference) * share
            if layer in self._cells:
                cells = self._cells[layer].means(x, tile, self._strides[layer])
                found["cells", layer, EVERYWHERE] = cells
            for (masked, number), mask in self._masks.items():
                if masked == layer:
                    part = tile.place(mask, self._strides[layer])
                    found |= _named(layer, number, weighted(x, part), 1.0)
        return found


def number_of(where: Tensor | None, number: int) -> int:
    """The number of a region in the keys of sums."""
    return EVERYWHERE if where is None else number


def statistic_of(sums: Mapping[tuple[str, str, int], Tensor], layer: str, number: int) -> Statistic:
    """The statistic of a layer in a region, or everywhere."""
    return Statistic(sums["mean", layer, number], sums["second", layer, number])


def added(parts: Iterable[Sums]) -> Sums:
    """The sums of all tiles together."""
    total: Sums = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total[key] + value if key in total else value
    return total


def _named(layer: str, number: int, statistic: Statistic, share: float) -> Sums:
    moments = {"mean": statistic.mean, "second": statistic.second}
    return {
        (kind, layer, number): value if share == 1 else value * share
        for kind, value in moments.items()
    }
