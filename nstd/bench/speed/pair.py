"""The pair for both contestants: drawn by the project, so it is the same everywhere."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nstd.client.samples import PAIRS

PAIR = PAIRS["harbour-in-swirls"]


def pictures(size: int) -> list[NDArray[np.float32]]:
    """Content and style, (H, W, 3) in [0, 1]."""
    found: list[NDArray[np.float32]] = []
    for name in PAIR:
        with (
            files("nstd.client.samples").joinpath(name).open("rb") as file,
            Image.open(file) as image,
        ):
            scale = size / max(image.size)
            width, height = (max(1, round(side * scale)) for side in image.size)
            small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
            found.append(np.asarray(small, np.float32) / np.float32(255))
    return found
