"""The registry of networks: one name, one row that says what the network offers and who loads it.

Light on purpose: options are checked against it without torch. A new network is a module with a
loader and a row here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Network(Protocol):
    """Turns a picture into features; frozen, on one device."""

    name: str
    sha256: str
    """Of the weights file, or of the filters themselves."""

    def features(self, picture: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Features (1, C, H, W) of `picture` (1, 3, H, W), in [0, 1], after each named layer."""
        ...

    def state(self) -> dict[str, Any] | None:
        """What a checkpoint must keep of the network, or None where its name is enough."""
        ...


@dataclass(frozen=True)
class Request:
    """What a loader may need to make a network for one job.

    `pictures` are the content and the styles, (1, 3, H, W) in [0, 1]; `saved` is what `state`
    of the same network gave to a checkpoint.
    """

    name: str
    pictures: Sequence[Tensor]
    layers: tuple[str, ...]
    pooling: str
    seed: int
    device: str
    weights: Path
    saved: Mapping[str, Any] | None = None


class Loader(Protocol):
    """Makes a network; the function that `Spec.loader` names."""

    def __call__(self, request: Request) -> Network: ...


@dataclass(frozen=True)
class Spec:
    """One row of the registry. `warm` networks do not depend on the pictures."""

    loader: str
    layers: tuple[str, ...]
    content_layer: str
    style_layers: tuple[str, ...]
    style_loss: str
    optimizer: str
    warm: bool


def vgg_layers(blocks: Sequence[int]) -> tuple[str, ...]:
    """Names of a VGG's rectified convolutions, `relu1_1` to `relu5_4`, as in the literature."""
    return tuple(
        f"relu{block}_{unit}"
        for block, units in enumerate(blocks, start=1)
        for unit in range(1, units + 1)
    )


def _vgg(*blocks: int) -> Spec:
    """The layers of Gatys et al. (2016), rectified."""
    return Spec(
        loader="nstd.backends.gatys.vgg:load",
        layers=vgg_layers(blocks),
        content_layer="relu4_2",
        style_layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        style_loss="gram",
        optimizer="adam",
        warm=True,
    )


STAGES = ("stage1", "stage2", "stage3", "stage4", "stage5")

NETWORKS: dict[str, Spec] = {
    "fitted": Spec(
        loader="nstd.backends.gatys.fitted:load",
        layers=STAGES,
        content_layer="stage4",
        style_layers=STAGES,
        style_loss="moments",
        optimizer="lbfgs",
        warm=False,
    ),
    "vgg19": _vgg(2, 2, 4, 4, 4),
    "vgg16": _vgg(2, 2, 3, 3, 3),
}


def load(request: Request) -> Network:
    """The network that `request` names, made by its own loader."""
    module, function = NETWORKS[request.name].loader.split(":")
    loader: Loader = getattr(import_module(module), function)
    return loader(request)
