"""The network in the package, with fixed filters: the same for every job, without fitting.

Its members are networks made by `fitted`, fitted once to the same pictures with different random
starts, so that they respond to different patterns. Before features are compared they are sphered:
mapped so that over many textures the channels of a layer have variance about 1 and no correlation.
Distances between such statistics are Mahalanobis distances: a property that all pictures share,
such as contrast, does not dominate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nstd.backends.gatys.fitted import Fitted, sha256
from nstd.backends.gatys.layer_names import FIXED
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.stage import Filter

FILE = "fixed.npz"
STEPS = 127  # steps on each side of zero: filter weights are stored as int8


class Fixed:
    """Several networks side by side; layer `stage1a` is the first stage of member `a`."""

    name = "fixed"
    source = None

    def __init__(
        self,
        filters: Mapping[str, Sequence[Filter]],
        turns: Mapping[str, Tensor],
        pooling: str = "average",
        dtype: torch.dtype | None = None,
    ) -> None:
        """`filters` are those of each member and compute in `dtype`; `turns` has a (C, C) by
        layer."""
        self._members = {name: Fitted(each, pooling, dtype) for name, each in filters.items()}
        self._turns = turns
        weights = (tensor for each in filters.values() for pair in each for tensor in pair)
        self.sha256 = sha256([*weights, *turns.values()])

    def features(self, picture: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Features of `picture` (1, 3, H, W), in [0, 1], not sphered."""
        for name, member in self._members.items():
            stages = [layer.removesuffix(name) for layer in layers if layer.endswith(name)]
            for stage, x in member.features(picture, stages):
                yield f"{stage}{name}", x

    def turn(self, layer: str) -> Tensor:
        """The matrix (C, C) that spheres the layer."""
        return self._turns[layer]

    def state(self) -> None:
        """None: the network is in the package."""


def load(request: NetworkRequest) -> Fixed:
    """The network in the package, on the device of `request`."""
    with resources.files(__package__).joinpath(FILE).open("rb") as file, np.load(file) as held:
        arrays = {name: torch.from_numpy(array).to(request.device) for name, array in held.items()}
    filters = {
        member: [unpacked(arrays, layer) for layer in layers] for member, layers in FIXED.items()
    }
    dtype = getattr(torch, request.precision)
    exact = torch.promote_types(dtype, torch.float32)
    turns = {
        layer: arrays[f"{layer} turn"].to(exact) for layers in FIXED.values() for layer in layers
    }
    return Fixed(filters, turns, request.pooling, dtype)


def packed(layer: str, filter_: Filter, turn: Tensor) -> dict[str, NDArray[Any]]:
    """A layer as small arrays: weights as int8 with a scale for each filter, `turn` as float16."""
    weight, bias = filter_
    scale = weight.abs().amax((1, 2, 3), keepdim=True) / STEPS
    parts = {
        "weight": (weight / scale).round().to(torch.int8),
        "scale": scale,
        "bias": bias,
        "turn": turn.half(),
    }
    return {f"{layer} {part}": values.numpy() for part, values in parts.items()}


def unpacked(arrays: Mapping[str, Tensor], layer: str) -> Filter:
    """The filter that was given to `packed`, except for rounding."""
    weight = arrays[f"{layer} weight"] * arrays[f"{layer} scale"]
    return weight, arrays[f"{layer} bias"]
