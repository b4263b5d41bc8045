"""The registry of networks: for each name, the properties of the network and its loader.

Does not import torch, because options are checked with it. A new network is a module with a loader
and a row here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from nstd.backends.gatys import torchvision_table
from nstd.backends.gatys.layer_names import FIXED, LEARNED, STAGES, TAUGHT, VGG, stage_of
from nstd.backends.gatys.network_protocol import Loader, Network, NetworkRequest
from nstd.backends.gatys.network_spec import MEGABYTE, Footprint, LossWeights, Reach, Spec


def _reaches(layers: Sequence[str]) -> dict[str, Reach]:
    """The reaches of consecutive 3x3 convolutions."""
    found, halo = {}, 0
    for layer in layers:
        stride = 2 ** (stage_of(layer) - 1)
        halo += stride
        found[layer] = Reach(stride, halo)
    return found


def _vgg(name: str) -> Spec:
    """The layers of Gatys et al. (2016), rectified, with the recipe of style-transfer-pytorch.

    Its weights (Katherine Crowson, github.com/crowsonkb/style-transfer-pytorch) are in the units
    of its losses: mean squares, squared Wasserstein distances per channel.
    """
    layers = VGG[name]
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


_RETRAINED = _vgg("vgg19-torchvision")

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
        "draft": (24, 14, 8, 4, 3),
        "normal": (70, 60, 28, 20, 12),
        "fine": (150, 100, 60, 24, 14),
    },
    supersampling={"fine": 2.0},
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

OWN: dict[str, Spec] = {
    "fitted": _FITTED,
    "fixed": _FIXED,
    "student": _STUDENT,
    "vgg19": _ORIGINAL,
    "vgg19-torchvision": _RETRAINED,
    "vgg16": _vgg("vgg16"),
}
"""The networks that nstd builds itself."""

NETWORKS = OWN | torchvision_table.rows(_ORIGINAL)


def load(request: NetworkRequest) -> Network:
    """The network that `request` names, made by its loader."""
    module, function = NETWORKS[request.name].loader.split(":")
    loader: Loader = getattr(import_module(module), function)
    return loader(request)
