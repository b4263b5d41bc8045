"""Networks of torchvision, whose features `torchvision.models.feature_extraction` takes out.

Imported only for a job that asks for one, because torchvision takes 160 MB of memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import get_model  # type: ignore[import-untyped]
from torchvision.models.feature_extraction import (  # type: ignore[import-untyped]
    create_feature_extractor,
)

from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.vgg import NetworkInput, fill, scaled_pool
from nstd.backends.weights import find
from nstd.backends.weights_registry import PREFIX


class Pooling(nn.Module):
    """Pooling by two, of the kind that the job asks for, in windows as the network has them."""

    def __init__(self, kind: str, window: int) -> None:
        super().__init__()
        self._kind, self._window = kind, window

    def forward(self, x: Tensor) -> Tensor:
        """`x` (1, C, H, W) as (1, C, ceil(H / 2), ceil(W / 2))."""
        return scaled_pool(x, self._kind, self._window)


class TorchvisionNetwork:
    """The frozen convolutions of a network of torchvision."""

    source = None

    def __init__(self, name: str, sha256: str, model: nn.Module) -> None:
        self.name, self.sha256 = name, sha256
        self._model = model
        self._input = NetworkInput(next(model.parameters()))
        self._extractors: dict[frozenset[str], nn.Module] = {}

    def features(self, picture: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Features of `picture` (1, 3, H, W), in [0, 1], after each node in `layers`."""
        wanted = frozenset(layers)
        if wanted not in self._extractors:
            self._extractors[wanted] = extractor(self._model, wanted)
        yield from self._extractors[wanted](self._input(picture)).items()

    def turn(self, layer: str) -> None:
        """None: features are compared without a map."""

    def state(self) -> None:
        """None: the weights are on disk."""


def load(request: NetworkRequest) -> TorchvisionNetwork:
    """The network with its weights, which are verified. Raises WeightsError."""
    installed = find(request.name, request.weights)
    model = empty_model(request.name, request.pooling)
    depth = 1 + max(int(layer.split(".")[1]) for layer in request.layers)
    layers = layers_of(model)[:depth]
    fill(layers, installed.path, torch.float32)
    fold_norms(layers)
    layers.to(request.device, getattr(torch, request.precision))
    model.features = layers.to(memory_format=torch.channels_last)
    return TorchvisionNetwork(request.name, installed.sha256, model)


def empty_model(name: str, pooling: str) -> nn.Module:
    """The network with its convolutions alone, without values, frozen.

    A layer whose positions are S pixels apart has ceil(H / S) of them along H pixels, as tiles and
    losses expect it: for that, the first convolution repeats the edges of the picture, where
    torchvision adds zeros, which would darken the border, or nothing; and every pooling keeps an
    odd last row or column.
    """
    with torch.device("meta"):
        model: nn.Module = get_model(name.removeprefix(PREFIX), weights=None)
        layers = layers_of(model)
        layers[0] = _centred(layers[0])
    for number, layer in enumerate(layers):
        if isinstance(layer, nn.MaxPool2d):
            assert isinstance(layer.kernel_size, int)
            layers[number] = Pooling(pooling, layer.kernel_size)
    model.classifier = nn.Identity()
    return model.eval().requires_grad_(False)


def layers_of(model: nn.Module) -> nn.Sequential:
    """The convolutions of a network, with what stands between them."""
    layers = model.features
    assert isinstance(layers, nn.Sequential)
    return layers


def _centred(layer: nn.Module) -> nn.Conv2d:
    """The first convolution, with the edges of the picture repeated, so that none is left out."""
    assert isinstance(layer, nn.Conv2d)
    side, stride = layer.kernel_size[0], layer.stride[0]
    return nn.Conv2d(3, layer.out_channels, side, stride, side // 2, padding_mode="replicate")


def fold_norms(layers: nn.Sequential) -> None:
    """Make each batch normalisation a part of the convolution before it, which computes the same.

    It saves a copy of the features of each.
    """
    for number, layer in enumerate(layers):
        if isinstance(layer, nn.BatchNorm2d):
            before = layers[number - 1]
            assert isinstance(before, nn.Conv2d)
            layers[number - 1] = fuse_conv_bn_eval(before, layer)
            layers[number] = nn.Identity()
    layers.requires_grad_(False)


def extractor(model: nn.Module, layers: Collection[str]) -> nn.Module:
    """A module that computes the features of all `layers` as a dict, in order, and no further."""
    kept: nn.Module = create_feature_extractor(
        model, sorted(layers), tracer_kwargs={"leaf_modules": [Pooling]}, suppress_diff_warning=True
    )
    return kept.eval()
