"""Turns the content of a file into a picture: upright, in sRGB, and with the wanted size."""

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
"""The axes to reverse, by orientation; from 5 on, rows and columns are swapped first."""


def develop(stored: Stored, scale: Scale) -> Picture:
    """The picture of `stored`, with its notes and those of the conversion."""
    if stored.image is None:
        return _of_values(stored, scale)
    if stored.space is not None:
        return _of_values(_with_values(stored), scale)
    turn = _TURNS.get(stored.orientation)
    image = stored.image if turn is None else stored.image.transpose(turn)
    color, alpha = split_alpha(image)
    if stored.alpha is not None:
        cover = np.rint(_turned(stored.alpha, stored.orientation) * 255)
        alpha = Image.fromarray(cover.astype(np.uint8))
    rgb, notes = to_srgb(color, stored.profile)
    notes = (*stored.notes, *notes)
    if alpha is None:
        return Picture(_floats(scale(rgb)), notes=notes)
    rgb.putalpha(alpha)
    # Pillow resizes RGBA with colours multiplied by alpha, which avoids colour fringes
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
    notes = (*stored.notes, *notes)
    if stored.alpha is None:
        return Picture(_scaled(values, scale), notes=notes)
    alpha = _turned(stored.alpha, stored.orientation)
    return Picture(_scaled(values, scale, alpha), _resized(alpha, scale), notes)


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


def _scaled(values: Array, scale: Scale, alpha: Array | None = None) -> Array:
    """(height, width, 1 or 3) resized, with three channels.

    Each channel is resized separately, multiplied by alpha, which avoids colour fringes.
    """
    cover = None if alpha is None else _resized(alpha, scale)
    if cover is not None and cover.shape == values.shape[:2]:
        alpha = cover = None
    result = None
    for at in range(values.shape[2]):
        channel = values[:, :, at] if alpha is None else values[:, :, at] * alpha
        channel = _resized(channel, scale)
        if cover is not None:
            channel = np.clip(channel / np.where(cover > 0, cover, 1), 0, 1)
        if result is None:
            result = np.empty((*channel.shape, 3), np.float32)
        result[:, :, at:] = channel[:, :, None]  # the last one fills the rest: for grey, all three
    assert result is not None
    return result


def _resized(channel: Array, scale: Scale) -> Array:
    """(height, width) resized and clamped, because sharpening may leave the range."""
    image = Image.fromarray(np.ascontiguousarray(channel))
    resized: Array = np.clip(np.asarray(scale(image)), 0, 1)
    return resized


def _floats(image: Image.Image) -> Array:
    pixels = np.array(image, dtype=np.float32)
    pixels /= 255
    return pixels
