"""The embedded network with fixed filters: the same for every job, and nothing to fit.

Its filters were fitted once, as `fitted` does for a pair, to photographs and drawings. Run as

    python -m nstd.backends.gatys.fixed

this module makes its file anew; that needs scikit-image, of the development dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nstd.backends.gatys.fitted import Filter, Fitted, fit
from nstd.backends.gatys.networks import Request

FILE = "fixed.npz"
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")  # of skimage.data
DRAWINGS = ("harbour", "mosaic", "sunflowers", "swirls")  # of nstd.samples
SIDE = 512  # pixels of the longest side while fitting: 256 gave worse pictures here
STEPS = 127  # on either side of zero: the weights of a filter are stored as int8

Arrays = Mapping[str, NDArray[Any]]


class Fixed(Fitted):
    """The stages of `fitted`, with filters that depend on no picture of the job."""

    name = "fixed"

    def state(self) -> None:
        """Nothing: the filters are in the package."""


def load(request: Request) -> Fixed:
    """The network in the package, on the device of `request`."""
    with resources.files(__package__).joinpath(FILE).open("rb") as file, np.load(file) as arrays:
        filters = unpacked(dict(arrays))
    moved = [(weight.to(request.device), bias.to(request.device)) for weight, bias in filters]
    return Fixed(moved, request.pooling)


def packed(filters: list[Filter]) -> dict[str, NDArray[Any]]:
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
    for number in range(1, len(arrays) // 3 + 1):
        weight = torch.from_numpy(arrays[f"weight{number}"] * arrays[f"scale{number}"])
        bias = torch.from_numpy(arrays[f"bias{number}"])
        filters.append((torch.cat([weight, -weight]), torch.cat([bias, -bias])))
    return filters


def pictures() -> list[Tensor]:
    """What the filters are fitted to: (1, 3, H, W) in [0, 1]. Needs scikit-image."""
    from skimage import data

    drawn = resources.files("nstd.samples")
    arrays = [getattr(data, name)() for name in PHOTOGRAPHS]
    for name in DRAWINGS:
        with drawn.joinpath(f"{name}.jpg").open("rb") as file, Image.open(file) as image:
            arrays.append(np.asarray(image.convert("RGB")))
    return [torch.from_numpy(x.astype(np.float32) / 255).permute(2, 0, 1)[None] for x in arrays]


def make(path: Path) -> None:
    """Fit the filters and write them to `path`."""
    np.savez(path, allow_pickle=False, **packed(fit(pictures(), "average", 0, SIDE)))


if __name__ == "__main__":
    make(Path(__file__).with_name(FILE))
