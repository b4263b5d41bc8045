"""From what a file holds to a picture: upright, in sRGB, and of the size that is wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from nstd.images.color import split_alpha, to_srgb
from nstd.images.icc import space_of_profile
from nstd.images.model import Array, Picture, Scale, Stored

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MIRRORED = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}
"""Axes that are turned round, by orientation; from 5 on, rows and columns change places first."""


def develop(stored: Stored, scale: Scale) -> Picture:
    """The picture that `stored` is; its notes and those that conversion adds."""
    if stored.image is None:
        return _of_values(stored, scale)
    if stored.space is not None:
        return _of_values(_with_values(stored), scale)
    turn = _TURNS.get(stored.orientation)
    image = stored.image if turn is None else stored.image.transpose(turn)
    color, alpha = split_alpha(image)
    rgb, notes = to_srgb(color, stored.profile)
    notes = (*stored.notes, *notes)
    if alpha is None:
        return Picture(_floats(scale(rgb)), notes=notes)
    rgb.putalpha(alpha)
    # Pillow resizes RGBA with its colours multiplied by alpha: no fringes of hidden colours
    rgba = _floats(scale(rgb))
    return Picture(np.ascontiguousarray(rgba[:, :, :3]), rgba[:, :, 3].copy(), notes)


def _with_values(stored: Stored) -> Stored:
    """The same with floats instead of an image of 8 bits."""
    assert stored.image is not None
    color, alpha = split_alpha(stored.image)
    values = _floats(color if color.mode in ("L", "RGB") else color.convert("RGB"))
    return replace(
        stored,
        image=None,
        values=values[:, :, None] if values.ndim == 2 else values,
        alpha=None if alpha is None else _floats(alpha),
    )


def _of_values(stored: Stored, scale: Scale) -> Picture:
    assert stored.values is not None
    values, notes = _in_srgb(stored.values, stored)
    values = _turned(values, stored.orientation)
    if stored.alpha is None:
        return Picture(_three(_scaled(values, scale)), notes=(*stored.notes, *notes))
    alpha = _turned(stored.alpha, stored.orientation)[:, :, None]
    values = _scaled(values * alpha, scale)
    alpha = _scaled(alpha, scale)
    values = np.clip(values / np.where(alpha > 0, alpha, 1), 0, 1)
    return Picture(_three(values), alpha[:, :, 0].copy(), (*stored.notes, *notes))


def _in_srgb(values: Array, stored: Stored) -> tuple[Array, tuple[str, ...]]:
    """`values`, of 1 or 3 channels, as sRGB, and notes."""
    space, channels = stored.space, values.shape[2]
    if stored.profile is not None:
        space = space_of_profile(stored.profile)
        if space is not None and len(space.curves) == 1 != channels:
            space = None  # one for grey: Little CMS says why it is of no use
    if space is not None:
        return space.to_srgb(values), (space.note,) if space.note else ()
    if stored.profile is None:
        return values, ()
    coarse = np.rint(values * 255).astype(np.uint8)
    rgb, notes = to_srgb(Image.fromarray(coarse.squeeze()), stored.profile)
    return (values, notes) if notes else (_floats(rgb), ())


def _turned(values: Array, orientation: int) -> Array:
    """Upright; a view."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    return np.flip(values, _MIRRORED.get(orientation, ()))


def _scaled(values: Array, scale: Scale) -> Array:
    """(height, width, channels) brought to size, each channel by itself."""
    channels = [
        np.asarray(scale(Image.fromarray(np.ascontiguousarray(values[:, :, at]))))
        for at in range(values.shape[2])
    ]
    result: Array = np.clip(np.stack(channels, axis=2), 0, 1)  # sharpening leaves the range
    return result


def _three(values: Array) -> Array:
    """Grey as three channels."""
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values


def _floats(image: Image.Image) -> Array:
    pixels = np.array(image, dtype=np.float32)
    pixels /= 255
    return pixels
