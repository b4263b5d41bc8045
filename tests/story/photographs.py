"""Fifty photographs and drawings, cut from those of scikit-image and of nstd itself."""

from __future__ import annotations

from pathlib import Path

import skimage
from PIL import Image

import nstd

COUNT = 50
SIDE = 320
"""The longest side, in pixels."""
_SCIKIT = [
    *("astronaut.png", "camera.png", "cell.png", "chelsea.png", "coffee.png", "coins.png"),
    *("grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png"),
    *("motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg"),
]
SAMPLES = Path(nstd.__file__).parent / "client" / "samples"
_CUTS = ((0.0, 0.0, 1.0, 1.0), (0.0, 0.1, 0.6, 0.9), (0.4, 0.1, 1.0, 0.9))
"""Left, top, right and bottom of the whole picture, and of two parts of it."""


def take_photographs(folder: Path, count: int = COUNT) -> list[Path]:
    """Write so many, at most 51, into a folder; in the order in which they are dropped."""
    scikit = Path(skimage.__file__).parent / "data"
    sources = [*(SAMPLES / name for name in ("harbour.jpg", "sunflowers.jpg"))]
    sources += [scikit / name for name in _SCIKIT]
    folder.mkdir(parents=True)
    taken = []
    for number in range(count):
        source, cut = sources[number % len(sources)], _CUTS[number // len(sources)]
        path = folder / f"{source.stem}-{number // len(sources) + 1}.jpg"
        with Image.open(source) as picture:
            sides = (picture.width, picture.height) * 2
            box = tuple(round(part * side) for part, side in zip(cut, sides, strict=True))
            photograph = picture.convert("RGB").crop(box)  # type: ignore[arg-type]
        photograph.thumbnail((SIDE, SIDE))
        photograph.save(path, quality=90)
        taken.append(path)
    return taken
