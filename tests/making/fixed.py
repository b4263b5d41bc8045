"""Makes the file of the network `fixed`: `python -m tests.making fixed`.

It needs scikit-image, of the development dependencies, and a few minutes of one core. The first two
stages come out to the byte and the third but for rounding. In the fourth, rounding may lead the
search for independent components elsewhere, on another machine or with another number of threads:
the file is another one then, and as good. `tests/test_making.py` has the figure that it must reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from making.textures import Pixels, textures
from nstd.backends.gatys.fitted import Fitted, fit
from nstd.backends.gatys.fixed import packed
from nstd.backends.gatys.layer_names import FIXED, STAGES
from nstd.backends.gatys.stage import Filter
from nstd.backends.gatys.statistic import Statistic, mixed, statistic

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")  # of skimage.data
DRAWINGS = ("harbour", "mosaic", "sunflowers", "swirls")  # of nstd.client.samples
SIDE = 512  # pixels of the longest side while fitting: 256 gave worse pictures here
SEEDS = {"a": 2, "b": 3}  # by member
TEXTURES = 240
SHARE = 0.02  # of the mean variance, added to each: weak components are mostly noise


def make(path: Path) -> None:
    """Fit the members, sphere their layers, and write both to `path`."""
    sources = pictures()
    given = [tensor(each) for each in sources]
    seen = [tensor(each) for each in textures(sources, TEXTURES, 0)]
    arrays: dict[str, NDArray[Any]] = {}
    for member, layers in FIXED.items():
        filters = fit(given, "average", SEEDS[member], SIDE, len(layers))
        for layer, filter_, turn in zip(layers, filters, turns(filters, seen), strict=True):
            arrays |= packed(layer, filter_, turn)
    np.savez(path, allow_pickle=False, **arrays)


def pictures() -> list[Pixels]:
    """What the filters are fitted to: (H, W, 3)."""
    from skimage import data

    drawn = resources.files("nstd.client.samples")
    found: list[Pixels] = [getattr(data, name)() for name in PHOTOGRAPHS]
    for name in DRAWINGS:
        with drawn.joinpath(f"{name}.jpg").open("rb") as file, Image.open(file) as image:
            found.append(np.asarray(image.convert("RGB")))
    return found


@torch.no_grad()
def turns(filters: Sequence[Filter], seen: Sequence[Tensor]) -> list[Tensor]:
    """The maps (C, C) that sphere the stages of `filters` over the pictures `seen`.

    Those are (1, 3, H, W), in [0, 1], and each counts the same.
    """
    network = Fitted(filters, "average")
    stages = STAGES[: len(filters)]
    found: dict[str, list[tuple[Statistic, float]]] = {stage: [] for stage in stages}
    for picture in seen:
        for stage, features in network.features(picture, stages):
            found[stage].append((statistic(features.double()), 1.0))
    return [inverse_root(mixed(found[stage]).covariance) for stage in stages]


def inverse_root(covariance: Tensor) -> Tensor:
    """The symmetric map that turns such channels to uncorrelated ones of variance about 1."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    turn: Tensor = (vectors / (values + SHARE * values.mean()).sqrt()) @ vectors.T
    return turn.float()


def tensor(pixels: Pixels) -> Tensor:
    """A picture as networks take it: (1, 3, H, W), in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
