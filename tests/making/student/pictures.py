"""What the student is shown: parts of photographs, wallpapers and drawn textures, varied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image
from torch import Tensor

from making.textures import Pixels, textures

PHOTOGRAPHS = (
    "astronaut",
    "chelsea",
    "coffee",
    "rocket",
    "hubble_deep_field",
    "retina",
    "immunohistochemistry",
)
SIDE = 192  # pixels of a part
LARGEST = 900  # pixels of the longest side of a picture in memory
SMALLEST = 160  # smaller pictures are left out
KINDS = (".jpg", ".png", ".webp")
LEAST_BYTES = 50_000  # smaller files are icons and previews
TEXTURES, KEPT_OUT_TEXTURES = 240, 24
EVERY = 11  # one of so many pictures is kept out


class Sets(NamedTuple):
    """What is trained on, and what the result is compared on."""

    pictures: Sequence[Pixels]
    drawn: Sequence[Pixels]
    kept_out: Sequence[Pixels]
    kept_out_drawn: Sequence[Pixels]


def prepared(folder: Path) -> Sets:
    """All pictures, of scikit-image and of `folder`, and textures that are drawn after them."""
    found = gathered(folder)
    kept_out = found[EVERY // 2 :: EVERY]
    pictures = [p for n, p in enumerate(found) if n % EVERY != EVERY // 2]
    drawn = textures(pictures, TEXTURES, 1), textures(kept_out, KEPT_OUT_TEXTURES, 2)
    return Sets(pictures, list(drawn[0]), kept_out, list(drawn[1]))


def gathered(folder: Path) -> list[Pixels]:
    """The pictures of scikit-image and of `folder`."""
    from skimage import data

    found: list[Pixels] = [_fitted(Image.fromarray(getattr(data, n)())) for n in PHOTOGRAPHS]
    paths = {path.resolve() for path in folder.rglob("*")}
    for path in sorted(paths):
        if (
            path.suffix in KINDS
            and path.stem != "screenshot"
            and path.stat().st_size >= LEAST_BYTES
        ):
            with Image.open(path) as image:
                image.draft("RGB", (LARGEST, LARGEST))
                pixels = _fitted(image)
            if min(pixels.shape[:2]) >= SMALLEST:
                found.append(pixels)
    return found


def _fitted(image: Image.Image) -> Pixels:
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS, reducing_gap=2.0)
    image = image.convert("RGB")
    return np.asarray(image)


def parts(
    pictures: Sequence[Pixels], drawn: Sequence[Pixels], share: float, seed: int
) -> Iterator[Tensor]:
    """Endless parts (1, 3, SIDE, SIDE) in [0, 1]; a `share` of them are textures."""
    rng = np.random.default_rng(seed)
    while True:
        part = _part(rng, drawn if rng.random() < share else pictures)
        if rng.random() < 0.12:  # what a half-finished picture looks like: two at once
            mix = rng.uniform(0.2, 0.8)
            part = mix * part + (1 - mix) * _part(rng, drawn)
        if rng.random() < 0.2:
            part = part + rng.normal(0, rng.uniform(0.01, 0.1), part.shape)
        part = part.clip(0, 1).astype(np.float32)
        yield torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)[None]


def _part(rng: Generator, pictures: Sequence[Pixels]) -> np.ndarray:
    """A square of a picture, of any scale, mirrored, in other colours and other contrast."""
    picture = pictures[int(rng.integers(len(pictures)))]
    most = min(picture.shape[:2])
    side = round(np.exp(rng.uniform(np.log(min(150, most)), np.log(most))))
    top, left = (rng.integers(length - side + 1) for length in picture.shape[:2])
    square = Image.fromarray(picture[top : top + side, left : left + side])
    values = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float32) / 255
    if rng.random() < 0.5:
        values = values[:, ::-1]
    if rng.random() < 0.15:
        values = values.transpose(1, 0, 2)
    if rng.random() < 0.3:
        values = values[:, :, rng.permutation(3)]
    if rng.random() < 0.5:
        shift = rng.uniform(-0.2, 0.2) + rng.normal(0, 0.08, 3)
        values = (values - 0.5) * rng.uniform(0.5, 1.6) + 0.5 + shift
    return values.clip(0, 1)
