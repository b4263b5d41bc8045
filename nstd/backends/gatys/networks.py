"""The registry of networks: for each name, the properties of the network and its loader.

Does not import torch, because options are checked with it. A new network is a module with a loader
and a row here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor


MEGABYTE = 1 << 20


class Network(Protocol):
    """Turns a picture into features; frozen, on one device."""

    name: str
    sha256: str
    """SHA-256 of the weights file, or of the filters."""
    source: str | None
    """SHA-256 of the file that the filters were made from, if any."""

    def features(self, picture: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Features (1, C, H, W) of `picture` (1, 3, H, W), in [0, 1], after each named layer.

        One after the other, so that none is kept longer than it is used, in the forward and in the
        backward pass. The fastest memory format is channels last.
        """
        ...

    def turn(self, layer: str) -> Tensor | None:
        """The map (C, C) of features of `layer` before they are compared; None: no map.

        It is applied to their statistics, which is very fast.
        """
        ...

    def state(self) -> dict[str, Any] | None:
        """What a checkpoint must save of the network; None if its name is enough."""
        ...


@dataclass(frozen=True)
class NetworkRequest:
    """What a loader needs to make a network for one job.

    `pictures` are the content and the styles, (1, 3, H, W) in [0, 1]; `saved` is the `state` of
    the same network in a checkpoint. `precision` is `float32` or `bfloat16`.
    """

    name: str
    pictures: Sequence[Tensor]
    layers: tuple[str, ...]
    pooling: str
    seed: int
    device: str
    precision: str
    weights: Path
    saved: Mapping[str, Any] | None = None


class Loader(Protocol):
    """Makes a network; the function that `Spec.loader` names."""

    def __call__(self, request: NetworkRequest) -> Network: ...


class Reach(NamedTuple):
    """The receptive field of a position of a layer, in pixels of the picture.

    Positions are `stride` pixels apart; each depends on its own `stride` x `stride` pixels, and on
    up to `halo` more pixels on every side.
    """

    stride: int
    halo: int


class Footprint(NamedTuple):
    """Bytes of a network: `always`, and `per_pixel` of one tile, including gradients."""

    always: int
    per_pixel: int


@dataclass(frozen=True)
class LossWeights:
    """The weights of the terms of the loss.

    `relative` terms are divided by their value at the start, so that the weights suit any
    network; the others have their own units. `layer_weights` are relative to each other; a style
    layer without one has 1. `diagonals` is the share of diagonal neighbours in total variation.
    `structure_weight` is the content's weight where its structure is compared; with more, flat
    parts of the picture show the cells.
    """

    content_weight: float = 0.3
    structure_weight: float = 0.06
    tv_weight: float = 0.5
    relative: bool = True
    layer_weights: Mapping[str, float] = field(default_factory=dict)
    diagonals: float = 0.0


@dataclass(frozen=True)
class Spec:
    """One row of the registry: the defaults of a network, and its loader.

    `general` is the recipe of all style losses that are not in `recipes`. With `recolors`, the
    content gets the styles' colours first. `budgets` has the evaluations per level by preset, the
    coarsest level first, the last number for all further levels; the size doubles every
    `per_octave` levels. `warm` networks do not depend on the pictures. `footprints` are by
    precision.
    """

    loader: str
    reaches: Mapping[str, Reach]
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    style_loss: str
    pooling: str
    optimizer: str
    budgets: Mapping[str, tuple[int, ...]]
    warm: bool
    footprints: Mapping[str, Footprint]
    per_octave: int = 1
    recolors: bool = False
    general: LossWeights = field(default_factory=LossWeights)
    recipes: Mapping[str, LossWeights] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers, in order."""
        return tuple(self.reaches)

    @property
    def usual(self) -> LossWeights:
        """The weights for the network's default style loss."""
        return self.recipe(self.style_loss)

    def recipe(self, style_loss: str) -> LossWeights:
        """The weights for `style_loss`."""
        return self.recipes.get(style_loss, self.general)


def vgg_layers(blocks: Sequence[int]) -> tuple[str, ...]:
    """The usual names of a VGG's rectified convolutions, `relu1_1` to `relu5_4`."""
    return tuple(
        f"relu{block}_{unit}"
        for block, units in enumerate(blocks, start=1)
        for unit in range(1, units + 1)
    )


def stage_of(layer: str) -> int:
    """The number of poolings before a layer, plus 1: the first digit of its name."""
    return int(next(filter(str.isdigit, layer)))


def _reaches(layers: Sequence[str]) -> dict[str, Reach]:
    """The reaches of consecutive 3x3 convolutions."""
    found, halo = {}, 0
    for layer in layers:
        stride = 2 ** (stage_of(layer) - 1)
        halo += stride
        found[layer] = Reach(stride, halo)
    return found


def _vgg(*blocks: int) -> Spec:
    """The layers of Gatys et al. (2016), rectified, with the recipe of style-transfer-pytorch.

    Its weights (Katherine Crowson, github.com/crowsonkb/style-transfer-pytorch) are in the units
    of its losses: mean squares, squared Wasserstein distances per channel.
    """
    layers = vgg_layers(blocks)
    wasserstein = LossWeights(
        content_weight=0.015,
        tv_weight=2.0,
        relative=False,
        layer_weights={layer: 4.0 ** (5 - int(layer[len("relu")])) for layer in layers},
        diagonals=1 / 3,
    )
    return Spec(
        loader="nstd.backends.gatys.vgg:load",
        reaches=_reaches(layers),
        content_layers=("relu4_2",),
        style_layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        style_loss="w2",
        pooling="max",
        optimizer="adam",
        budgets={"draft": (200, 100), "normal": (1000, 500), "fine": (2000, 1000)},
        warm=True,
        footprints={
            "bfloat16": Footprint(135 * MEGABYTE, 1070),
            "float32": Footprint(165 * MEGABYTE, 1560),
        },
        per_octave=2,
        recipes={"w2": wasserstein},
    )


_RETRAINED = _vgg(2, 2, 4, 4, 4)

# Chosen by eye and by figures at equal seconds: moments give the clearest large forms; Gram
# matrices and Adam come close; W2, which takes roots of matrices, has time for a third of the
# evaluations and is behind.
_ORIGINAL = replace(
    _RETRAINED,
    style_loss="moments",
    optimizer="lbfgs",
    budgets={
        "draft": (80, 60, 40, 25, 16),
        "normal": (250, 180, 130, 90, 70),
        "fine": (500, 400, 300, 200, 150),
    },
    recipes={},
    general=LossWeights(content_weight=0.2),
)

STAGES = ("stage1", "stage2", "stage3", "stage4", "stage5")

FIXED = {member: tuple(f"{stage}{member}" for stage in STAGES[:4]) for member in "ab"}
"""The layers of `fixed`, by member: two networks side by side, with different errors."""

LEARNED = tuple(f"stage{unit}" for unit in ("2c1", "3c1", "3c2", "4c1", "4c2", "5c1", "5c2"))
"""The learned layers of `student`, one after the other, from its first stage on."""

TAUGHT = ("stage3c2", "stage4c2", "stage5c2")
"""Those that have a map and so can be compared."""

_FITTED = Spec(
    loader="nstd.backends.gatys.fitted:load",
    reaches=_reaches(STAGES),
    content_layers=STAGES,
    style_layers=STAGES,
    style_loss="moments",
    pooling="average",
    optimizer="lbfgs",
    budgets={"draft": (60, 40, 20), "normal": (150, 100, 50), "fine": (400, 250, 150)},
    warm=False,
    footprints={
        "bfloat16": Footprint(125 * MEGABYTE, 520),
        "float32": Footprint(105 * MEGABYTE, 800),
    },
    recolors=True,
    general=LossWeights(content_weight=0.22),
)

_FIXED = replace(
    _FITTED,
    loader="nstd.backends.gatys.fixed:load",
    reaches=_reaches(FIXED["a"]) | _reaches(FIXED["b"]),
    # The first stage would keep the finest detail of the photograph.
    content_layers=FIXED["a"][1:],
    style_layers=FIXED["a"] + FIXED["b"][1:],  # the first stages of both are nearly the same
    warm=True,
    footprints={
        "bfloat16": Footprint(90 * MEGABYTE, 430),
        "float32": Footprint(50 * MEGABYTE, 860),
    },
    budgets={
        "draft": (60, 40, 20, 10, 6),
        "normal": (70, 60, 28, 20, 12),
        "fine": (400, 250, 150, 60, 30),
    },
    general=LossWeights(content_weight=0.17),
)

_STUDENT = replace(
    _FIXED,
    loader="nstd.backends.gatys.student:load",
    reaches=_reaches(FIXED["a"])
    | {layer: _reaches((FIXED["a"][0], *LEARNED))[layer] for layer in TAUGHT},
    style_layers=FIXED["a"] + TAUGHT,
    footprints={
        "bfloat16": Footprint(115 * MEGABYTE, 490),
        "float32": Footprint(110 * MEGABYTE, 860),
    },
    general=LossWeights(content_weight=0.27, layer_weights={"stage1a": 1.5, "stage2a": 2.0}),
)

NETWORKS: dict[str, Spec] = {
    "fitted": _FITTED,
    "fixed": _FIXED,
    "student": _STUDENT,
    "vgg19": _ORIGINAL,
    "vgg19-torchvision": _RETRAINED,
    "vgg16": _vgg(2, 2, 3, 3, 3),
}


def load(request: NetworkRequest) -> Network:
    """The network that `request` names, made by its loader."""
    module, function = NETWORKS[request.name].loader.split(":")
    loader: Loader = getattr(import_module(module), function)
    return loader(request)
