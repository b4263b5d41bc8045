"""The embedded network with fixed filters: the same for every job, and nothing to fit.

Its filters were fitted once, as `fitted` does for a pair, by `make_fixed`. What a stage shows is
sphered: moved and turned so that over many textures its channels have mean 0, variance about 1 and
no correlation. Distances between such statistics are Mahalanobis distances: no common trait of all
pictures, such as contrast, drowns the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nstd.backends.gatys.fitted import Filter, Fitted
from nstd.backends.gatys.networks import Request

FILE = "fixed.npz"
STEPS = 127  # on either side of zero: the weights of a filter are stored as int8

Arrays = Mapping[str, NDArray[Any]]


class Fixed(Fitted):
    """The stages of `fitted`, sphered, with filters that depend on no picture of the job."""

    name = "fixed"

    def state(self) -> None:
        """Nothing: the filters are in the package."""


def load(request: Request) -> Fixed:
    """The network in the package, on the device of `request`."""
    with resources.files(__package__).joinpath(FILE).open("rb") as file, np.load(file) as held:
        arrays = dict(held)
    filters, spheres = (
        [(weight.to(request.device), bias.to(request.device)) for weight, bias in each]
        for each in (unpacked(arrays), unpacked_spheres(arrays))
    )
    return Fixed(filters, request.pooling, spheres)


def packed(filters: Sequence[Filter]) -> dict[str, NDArray[Any]]:
    """`filters` as small arrays: one sign of each component, its weights as int8 and a scale."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, (weight, bias) in enumerate(filters, start=1):
        half = len(weight) // 2
        scale = weight[:half].abs().amax((1, 2, 3), keepdim=True) / STEPS
        arrays[f"weight{number}"] = (weight[:half] / scale).round().to(torch.int8).numpy()
        arrays[f"scale{number}"] = scale.numpy()
        arrays[f"bias{number}"] = bias[:half].numpy()
    return arrays


def unpacked(arrays: Arrays) -> list[Filter]:
    """The filters that `packed` made `arrays` of, but for the rounding."""
    filters: list[Filter] = []
    for number in _numbers(arrays, "weight"):
        weight = torch.from_numpy(arrays[f"weight{number}"] * arrays[f"scale{number}"])
        bias = torch.from_numpy(arrays[f"bias{number}"])
        filters.append((torch.cat([weight, -weight]), torch.cat([bias, -bias])))
    return filters


def packed_spheres(spheres: Sequence[Filter]) -> dict[str, NDArray[Any]]:
    """`spheres`, (C, C, 1, 1) and (C,), as float16."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, (turn, shift) in enumerate(spheres, start=1):
        arrays[f"turn{number}"] = turn.half().numpy()
        arrays[f"shift{number}"] = shift.half().numpy()
    return arrays


def unpacked_spheres(arrays: Arrays) -> list[Filter]:
    """The spheres that `packed_spheres` made `arrays` of, but for the rounding."""
    return [
        (
            torch.from_numpy(arrays[f"turn{number}"]).float(),
            torch.from_numpy(arrays[f"shift{number}"]).float(),
        )
        for number in _numbers(arrays, "turn")
    ]


def _numbers(arrays: Arrays, part: str) -> range:
    """The numbers of the stages that have `part`."""
    return range(1, 1 + sum(name.startswith(part) for name in arrays))
