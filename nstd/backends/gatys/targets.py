"""The targets of a region: the statistics of its paintings, by layer."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.regions import Painting, Region
from nstd.backends.gatys.statistic import Statistic, mixed
from nstd.backends.gatys.target_cache import TargetCache
from nstd.backends.gatys.tiled_features import View, number_of, statistic_of


def targets_of(
    network: Network,
    region: Region,
    layers: Collection[str],
    options: Options,
    cache: TargetCache | None = None,
) -> dict[str, Statistic]:
    """The statistic of all paintings of `region` together, by layer."""
    parts: dict[str, list[tuple[Statistic, float]]] = {layer: [] for layer in layers}
    for painting in region.paintings:
        # Also tile by tile: a painting may be larger than the picture.
        size = painting.picture.shape[2:]
        view = View(network, options, [painting.mask], size, (layers, ()))
        look = partial(_look, painting, view)
        found = look() if cache is None else cache.remembered(painting, view, look)
        for layer in layers:
            parts[layer].append((found[layer], painting.weight))
    return {layer: mixed(each) for layer, each in parts.items()}


def _look(painting: Painting, view: View) -> dict[str, Statistic]:
    sums = view.sums_of(painting.picture)
    number = number_of(painting.mask, 0)
    return {layer: statistic_of(sums, layer, number) for layer in view.layers}
