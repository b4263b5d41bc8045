"""Masks: any picture becomes a weight from 0 (black: outside) to 1 (white: inside) per pixel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from nstd.errors import PictureError
from nstd.images.decode import decode
from nstd.images.model import Array

_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)  # Rec. ITU-R BT.709, item 3.2

_NEARLY_BLACK = 1 / 8


def load_mask(
    path: Path,
    *,
    max_pixels: int,
    max_bytes: int,
    size: tuple[int, int],
    on_note: Callable[[str], None] | None = None,
) -> Array:
    """Decode `path` as a mask of `size` (width, height): (height, width) float32 in [0, 1].

    Colours count by their luma; transparent pixels count as black. The picture is scaled with a
    triangle filter, which makes no grey halos along edges, unlike sharper filters. `on_note` is
    called with what is unusual about the file, and when the mask is nearly black.

    Raises PictureError as `load_image` does, and `picture_refused` for a mask that is black
    everywhere, because it would leave no pixels.
    """

    def scale(image: Image.Image) -> Image.Image:
        return image.resize(size, Image.Resampling.BILINEAR)

    picture = decode(path, max_pixels, max_bytes, scale)
    mask: Array = np.clip(picture.pixels @ _LUMA, 0, 1)
    if picture.alpha is not None:
        mask = mask * picture.alpha
    if not mask.any():
        raise PictureError(
            "picture_refused",
            f"{path.name}: black everywhere, so this mask leaves nothing",
            "paint white what it is to let through, or leave the mask out",
        )
    notes = [*picture.notes]
    if (brightest := float(mask.max())) < _NEARLY_BLACK:
        notes.append(
            f"this mask is nearly black: at its brightest {brightest:.2%} of white, which lets "
            "next to nothing through; where it holds labels, such as 0 and 1, save 1 as white"
        )
    if on_note is not None:
        for note in notes:
            on_note(note)
    return mask
