"""A file in the form of torchvision's VGG-19: with the original weights, or with random ones.

With random weights an evaluation costs the same, but losses differ, so a report says which weights
were used. Run as `python -m nstd.bench.speed.stand_in FOLDER [ORIGINAL]`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import vgg19  # type: ignore[import-untyped]

from nstd.backends.gatys.original import read_original
from nstd.backends.gatys.tensors import to_tensor
from nstd.backends.weights_registry import REGISTRY, RETRAINED
from nstd.bench.speed.pair import pictures

SIDE = 160  # pixels of the pictures over which layers are normalised
NOTHING = 1e-6


def write(folder: Path, original: Path | None = None) -> Path:
    """Write the weights as an installed file of `folder`; random ones are always the same.

    `original` is the file of the network `vgg19`.
    """
    torch.manual_seed(0)
    with torch.device("meta"):
        model = vgg19()
    features = model.features.to_empty(device="cpu")
    if original is None:
        _normalise(features, _seen())
    else:
        _copy(features, original)
    state = {name: torch.zeros(wanted.shape) for name, wanted in model.state_dict().items()}
    state |= {f"features.{name}": value for name, value in features.state_dict().items()}
    path = folder / REGISTRY[RETRAINED].file
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".json").write_text(json.dumps({"sha256": digest}))
    return path


def _seen() -> Tensor:
    """The two pictures of the benchmark as input of a network: (2, 3, H, W)."""
    shown = [to_tensor(picture, "cpu") for picture in pictures(SIDE)]
    height, width = (min(each.shape[axis] for each in shown) for axis in (2, 3))
    return torch.cat([each[..., :height, :width] for each in shown]) * 4 - 2


@torch.no_grad()
def _copy(features: nn.Sequential, original: Path) -> None:
    """Give `features` the original weights."""
    convolutions = (layer for layer in features if isinstance(layer, nn.Conv2d))
    for layer, (weight, bias) in zip(convolutions, read_original(original), strict=True):
        assert layer.bias is not None
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


@torch.no_grad()
def _normalise(features: nn.Sequential, x: Tensor) -> None:
    """Random filters (He et al., ICCV 2015) whose responses to `x` have mean 0 and variance 1.

    Otherwise (Kraehenbuehl et al., ICLR 2016), the channels of deeper layers become more and more
    alike, and optimisers behave differently than with a trained network; Gatys et al. (CVPR 2016,
    section 2) also normalise the mean responses of its filters.
    """
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is not None
            nn.init.kaiming_normal_(layer.weight)
            layer.bias.zero_()
            answers = layer(x)
            mean, deviation = answers.mean((0, 2, 3)), answers.std((0, 2, 3)) + NOTHING
            layer.weight.div_(deviation[:, None, None, None])
            layer.bias.copy_(-mean / deviation)
        x = layer(x)


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
