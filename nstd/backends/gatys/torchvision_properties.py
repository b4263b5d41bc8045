"""How far the layers of torchvision's networks see, and the memory that they take: measured.

Each network is asked once in a process, without weights.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from nstd.backends.gatys.network_spec import MEGABYTE, PRECISIONS, Footprint, Reach
from nstd.backends.gatys.torchvision_network import empty_model, extractor, fold_norms, layers_of

SIDE = 512  # pixels of a picture that is wider than any layer sees, and a multiple of each stride
ALWAYS = 280 * MEGABYTE  # torchvision, and what torch keeps to compute with
COPIES = 3  # of the largest features in float32, in a backward pass; measured with VGG-11


@cache
@torch.enable_grad()  # the first to ask may compute without gradients
def reaches_of(name: str, layers: tuple[str, ...]) -> dict[str, Reach]:
    """The reach of each layer, by the pixels on which a position in the middle depends."""
    picture = torch.ones(1, 1, 1, SIDE, dtype=torch.float64, requires_grad=True)
    found = extractor(_means(name), layers)(picture)
    return {layer: _reach(found[layer], picture) for layer in layers}


def _reach(features: Tensor, picture: Tensor) -> Reach:
    count = features.shape[3]
    stride, middle = SIDE // count, count // 2
    value = features[..., middle].sum()
    (slope,) = torch.autograd.grad(value, picture, retain_graph=True)
    seen = slope.flatten().nonzero().flatten().tolist()
    begin = middle * stride
    return Reach(stride, max(begin - seen[0], seen[-1] - begin - stride + 1, 0))


def _means(name: str) -> nn.Module:
    """The network with means over the windows of its convolutions and poolings.

    They depend on the same pixels, and no part of their gradient is 0 or cancels another.
    """
    model = empty_model(name, "average")
    for path, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d):
            side, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
            model.set_submodule(path, nn.AvgPool2d(side, stride, padding))
        elif isinstance(layer, nn.BatchNorm2d):
            model.set_submodule(path, nn.Identity())
    return model


@cache
@torch.enable_grad()  # the first to ask may compute without gradients
def footprints_of(name: str, layers: tuple[str, ...]) -> dict[str, Footprint]:
    """The memory for all `layers`, by precision: what a forward pass saves, and gradients.

    Gradients of the largest features and sums over these are what a backward pass adds.
    """
    return {each: _footprint(name, layers, getattr(torch, each)) for each in PRECISIONS}


def _footprint(name: str, layers: tuple[str, ...], dtype: torch.dtype) -> Footprint:
    model = empty_model(name, "max").to(dtype)
    fold_norms(layers_of(model))
    weights = {parameter.untyped_storage()._cdata: parameter for parameter in model.parameters()}
    saved = dict[int, Tensor]()

    def save(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage()._cdata] = tensor  # as a tensor is often saved twice
        return tensor

    picture = torch.zeros(1, 3, SIDE, SIDE, dtype=dtype, device="meta", requires_grad=True)
    with saved_tensors_hooks(save, lambda tensor: tensor):
        found = extractor(model, layers)(picture)
    features = sum(_bytes(saved[key]) for key in saved.keys() - weights.keys())
    largest = max(found.values(), key=_bytes)
    gradients = COPIES * 4 * largest.numel()
    if dtype != torch.float32:
        gradients += _bytes(largest)
    always = ALWAYS + sum(map(_bytes, weights.values()))
    return Footprint(always, (features + gradients) // SIDE**2)


def _bytes(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes()
