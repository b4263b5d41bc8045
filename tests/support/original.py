"""Files in the form of the original VGG-19's, and its features by the formula."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.vgg import empty_layers
from nstd.backends.weights_registry import REGISTRY

LAYERS = NETWORKS["vgg19"].layers


def forge_original(folder: Path) -> Path:
    """Write a file whose weights are drawn at random, where the network `vgg19` looks for it."""
    generator = torch.Generator().manual_seed(0)
    held: dict[str, Tensor] = {}
    for key, value in empty_layers("vgg19", (LAYERS[-1],)).state_dict().items():
        if key.endswith("weight"):
            name = block(LAYERS[len(held) // 3])
            drawn = torch.randint(256, value.shape, generator=generator, dtype=torch.uint8)
            held[f"{name}_W_q"] = drawn
            held[f"{name}_W_table"] = torch.linspace(-3, 3, 256) * value[0].numel() ** -0.5
            held[f"{name}_b"] = 0.1 * torch.randn(len(value), generator=generator)
    return save_original(held, folder)


def save_original(held: dict[str, Tensor], folder: Path) -> Path:
    """Write such a file, with a note that a person trusts it."""
    path = folder / REGISTRY["vgg19"].file
    torch.save(held, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".json").write_text(json.dumps({"sha256": digest}))
    return path


def block(layer: str) -> str:
    """The name of a layer's convolution in the original file."""
    return "block{}_conv{}".format(*layer.removeprefix("relu").split("_"))


def as_published(
    held: dict[str, Tensor], picture: Tensor, layers: tuple[str, ...]
) -> dict[str, Tensor]:
    """Features by the formula: BGR from 0 to 255, less the mean, not scaled; zeros around."""
    x = 255 * picture.flip(1) - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    found = {}
    for layer in layers:
        if layer.endswith("_1") and layer != "relu1_1":
            x = functional.max_pool2d(x, 2)
        name = block(layer)
        weight = held[f"{name}_W_table"][held[f"{name}_W_q"].long()]
        x = functional.relu(functional.conv2d(x, weight, held[f"{name}_b"], padding=1))
        found[layer] = x
    return found
