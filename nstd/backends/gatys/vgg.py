"""VGG (Simonyan, Zisserman, ICLR 2015), up to the last layer that is needed."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path

import torch
from torch import Tensor, nn

from nstd.backends.gatys.layer_names import VGG
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.original import DEVIATION, MEAN, read_original
from nstd.backends.gatys.pooling import pool
from nstd.backends.weights import find
from nstd.errors import WeightsError

CHANNELS = (64, 128, 256, 512, 512)  # by block: Simonyan, Zisserman, table 1
# Factors that scale other poolings to the size of max pooling, with which the weights were trained;
# figures of github.com/crowsonkb/style-transfer-pytorch.
GAINS = {"max": 1.0, "average": 2.0, "l2": 0.78}


class NetworkInput:
    """Pictures as networks expect them that torchvision has trained on ImageNet."""

    def __init__(self, weight: Tensor) -> None:
        """For a network with such a weight: on its device, in its data type."""
        self._dtype = weight.dtype
        self._mean = torch.tensor(MEAN, device=weight.device)[:, None, None]
        self._deviation = torch.tensor(DEVIATION, device=weight.device)[:, None, None]

    def __call__(self, picture: Tensor) -> Tensor:
        """`picture` (1, 3, H, W), in [0, 1], normalised, in the fastest memory format."""
        x = (picture - self._mean) / self._deviation
        return x.to(dtype=self._dtype, memory_format=torch.channels_last)


def scaled_pool(x: Tensor, kind: str, window: int = 2) -> Tensor:
    """`pool` with the gain of its kind."""
    pooled = pool(x, kind, window)
    return pooled if GAINS[kind] == 1 else GAINS[kind] * pooled


class Vgg:
    """The frozen convolutions up to the last layer needed; the classifier is not built."""

    def __init__(
        self,
        name: str,
        sha256: str,
        layers: nn.Sequential,
        pooling: str,
        source: str | None = None,
    ) -> None:
        """`layers` are the first layers of torchvision's `features`, as made by `empty_layers`.

        `source` is the SHA-256 of the file if `sha256` is that of what was made of it.
        """
        self.name = name
        self.sha256 = sha256
        self.source = source
        self._layers = layers
        self._pooling = pooling
        self._input = NetworkInput(next(layers.parameters()))

    def features(self, picture: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Features of `picture` (1, 3, H, W), in [0, 1], after each named rectification."""
        names = iter(VGG[self.name])
        x = self._input(picture)
        for layer in self._layers:
            x = scaled_pool(x, self._pooling) if isinstance(layer, nn.MaxPool2d) else layer(x)
            if isinstance(layer, nn.ReLU) and (name := next(names)) in layers:
                yield name, x

    def turn(self, layer: str) -> None:
        """None: features are compared without a map."""

    def state(self) -> None:
        """None: the weights are on disk."""


def load(request: NetworkRequest) -> Vgg:
    """The network with its weights, which are verified. Raises WeightsError."""
    installed = find(request.name, request.weights)
    layers = empty_layers(request.name, request.layers)
    dtype = getattr(torch, request.precision)
    sha256, source = installed.sha256, None
    if request.name == "vgg19":
        sha256, source = fill_original(layers, installed.path, dtype), sha256
    else:
        fill(layers, installed.path, dtype)
    layers = layers.to(request.device).to(memory_format=torch.channels_last)
    return Vgg(request.name, sha256, layers, request.pooling, source)


def empty_layers(name: str, needed: Collection[str]) -> nn.Sequential:
    """The layers up to the last of the `needed` ones, with uninitialised weights.

    Numbered as in torchvision, which is not imported, because it would take 160 MB in each worker.
    """
    names = VGG[name]
    depth = max(names.index(layer) for layer in needed) + 1
    modules: list[nn.Module] = []
    into = 3
    with torch.device("meta"):
        for layer in names[:depth]:
            block, unit = map(int, layer.removeprefix("relu").split("_"))
            if unit == 1 and block > 1:
                modules.append(nn.MaxPool2d(2))
            out = CHANNELS[block - 1]
            modules += [nn.Conv2d(into, out, 3, padding=1), nn.ReLU(inplace=True)]
            into = out
    first = modules[0]
    assert isinstance(first, nn.Conv2d)
    first.padding_mode = "replicate"  # zeros would darken the border
    return nn.Sequential(*modules).requires_grad_(False)


def fill(layers: nn.Sequential, path: Path, dtype: torch.dtype) -> None:
    """Give `layers` the weights in the file `path`, whose keys are `features.N.weight`, as `dtype`.

    Numbers of batches, which older files lack, are not read. Raises WeightsError `weights_corrupt`
    when some are missing or have another shape.
    """
    with _refused(path):
        # Only a zip file can be mapped; mapping leaves the classifier's 490 MB on disk.
        mapped = zipfile.is_zipfile(path)
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        keys = [key for key in layers.state_dict() if not key.endswith("num_batches_tracked")]
        wanted = {key: saved[f"features.{key}"].to(dtype, copy=True) for key in keys}
        layers.load_state_dict(wanted, assign=True)
    layers.requires_grad_(False)


def fill_original(layers: nn.Sequential, path: Path, dtype: torch.dtype) -> str:
    """Give `layers` the original weights in the file `path`, as `dtype`.

    The SHA-256 of the values of all layers is returned, whichever are used. Raises as `fill` does.
    """
    keys = [key.removesuffix("weight") for key in layers.state_dict() if key.endswith("weight")]
    digest, wanted = hashlib.sha256(), dict[str, Tensor]()
    with _refused(path):
        for key, (weight, bias) in zip_longest(keys, read_original(path)):
            digest.update(weight.numpy().data)
            digest.update(bias.numpy().data)
            if key is not None:
                wanted |= {f"{key}weight": weight.to(dtype), f"{key}bias": bias.to(dtype)}
        layers.load_state_dict(wanted, assign=True)
    layers.requires_grad_(False)
    return digest.hexdigest()


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Raises WeightsError for a weights file of another form."""
    try:
        yield
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(
            "weights_corrupt",
            f"{path}: not the weights of this network: {str(error).splitlines()[0]}",
            "remove it and install the file that `nstd networks` names",
        ) from None
