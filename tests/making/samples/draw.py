"""Draws the sample pictures: `python -m tests.making samples`.

Nothing is random but for fixed seeds, so the pictures are the same each time, save for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from making.samples.harbour import harbour
from making.samples.mosaic import mosaic
from making.samples.sunflowers import sunflowers
from making.samples.swirls import swirls

DRAWINGS: dict[str, Callable[[], Image.Image]] = {
    "harbour.jpg": harbour,
    "sunflowers.jpg": sunflowers,
    "swirls.jpg": swirls,
    "mosaic.jpg": mosaic,
}
QUALITY = {"harbour.jpg": 92, "sunflowers.jpg": 92, "swirls.jpg": 88, "mosaic.jpg": 82}


def draw_all(folder: Path) -> None:
    """Draw every sample picture into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in DRAWINGS:
        draw(name, folder)


def draw(name: str, folder: Path) -> None:
    """Draw the sample picture of this file name into `folder`."""
    DRAWINGS[name]().save(folder / name, quality=QUALITY[name], optimize=True)
