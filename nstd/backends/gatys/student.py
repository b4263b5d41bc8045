"""The network in the package that learned from VGG-19, and so sees large shapes.

One branch is the first member of `fixed`. The other reads the first stage of `fixed` with filters
that were trained, together with a linear map H for each layer, so that H times the features
predicts those of VGG-19 (Simonyan, Zisserman, ICLR 2015). The map (H^T H)^(1/2) would give the same
distances between second moments as H, but what VGG-19 does not see would be free: so the layers are
compared after the root of H^T H and, with a weight, the inverse covariance of the features.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib import resources

import numpy as np
import torch
from torch import Tensor

from nstd.backends.gatys import fixed
from nstd.backends.gatys.fitted import normalised, sha256
from nstd.backends.gatys.fixed import unpacked
from nstd.backends.gatys.layer_names import FIXED, LEARNED
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.stage import Filter, Stage, chain, pooled_responses

FILE = "student.npz"


class Student:
    """A branch of `fixed` and a learned one, on a common first stage."""

    name = "student"
    source = None

    def __init__(
        self,
        filters: Mapping[str, Filter],
        turns: Mapping[str, Tensor],
        pooling: str = "average",
        dtype: torch.dtype | None = None,
    ) -> None:
        """Filters by layer, which compute in `dtype`, and maps (C, C) by layer."""
        self._stages = {layer: Stage(filter_, dtype) for layer, filter_ in filters.items()}
        self._turns = turns
        self._pooling = pooling
        weights = (tensor for filter_ in filters.values() for tensor in filter_)
        self.sha256 = sha256([*weights, *turns.values()])

    def features(self, picture: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Features of `picture` (1, 3, H, W), in [0, 1], before the maps."""
        first, *others = FIXED["a"]
        stage = self._stages[first]
        x = normalised(picture).to(dtype=stage.dtype, memory_format=torch.channels_last)
        shown, x = pooled_responses(x, stage, self._pooling)
        if first in layers:
            yield first, shown
        for branch in (others, LEARNED):
            own = {layer: self._stages[layer] for layer in branch}
            yield from chain(x, own, layers, self._pooling)

    def turn(self, layer: str) -> Tensor:
        """The map (C, C) of the layer."""
        return self._turns[layer]

    def state(self) -> None:
        """None: the network is in the package."""


def load(request: NetworkRequest) -> Student:
    """The network in the package, on the device of `request`."""
    arrays: dict[str, Tensor] = {}
    for name in (fixed.FILE, FILE):
        with resources.files(__package__).joinpath(name).open("rb") as file, np.load(file) as held:
            arrays |= {key: torch.from_numpy(a).to(request.device) for key, a in held.items()}
    layers = (*FIXED["a"], *LEARNED)
    dtype = getattr(torch, request.precision)
    exact = torch.promote_types(dtype, torch.float32)
    turns = {
        layer: arrays[f"{layer} turn"].to(exact) for layer in layers if f"{layer} turn" in arrays
    }
    filters = {layer: unpacked(arrays, layer) for layer in layers}
    return Student(filters, turns, request.pooling, dtype)
