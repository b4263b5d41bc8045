"""Transparency: how a picture looks on a white page, and the way back."""

from __future__ import annotations

import numpy as np

from nstd.images.model import Array

_ROUNDING = 1e-3
_CUT_OUT, _SEEN = 1 / 32, 1 / 16
"""A pixel of at most the first alpha counts as cut out: resizing, packing with losses and erasing
with a soft brush leave such traces. From the second on, it must show what was painted."""


def over_white(pixels: Array, alpha: Array) -> Array:
    """The picture over a white background: opaque, with the same shapes and ranges."""
    cover = alpha[:, :, None]
    return pixels * cover + (1 - cover)


def off_white(painted: Array, alpha: Array) -> tuple[Array, Array]:
    """Pixels and alpha that give `painted` over white, and contain as little white as possible.

    `painted` is opaque, (height, width, 3) in [0, 1]; `alpha`, (height, width), is the wanted
    alpha. Where `painted` is darker than this alpha can show over white, alpha is larger, except
    for pixels that are cut out. So the result over white equals `painted` from an alpha of 1/16
    on, transparent pixels stay transparent, and no edge has a halo of white.
    """
    painted = np.clip(painted, 0, 1)
    most = np.clip((alpha - _CUT_OUT) / (_SEEN - _CUT_OUT), 0, 1)
    needed = np.minimum(1 - painted.min(axis=2), most)
    cover = np.maximum(alpha, needed).astype(np.float32)
    # rounded to 8 bits as in a file, so that the colours compensate for the rounding
    cover = np.ceil(cover * 255 - _ROUNDING) / np.float32(255)
    divisor = np.where(cover > 0, cover, 1)[:, :, None]
    pixels = painted - (1 - cover[:, :, None])
    pixels /= divisor
    return np.clip(pixels, 0, 1, out=pixels), cover


def straight(pixels: Array, alpha: Array) -> Array:
    """`pixels` divided by `alpha`, by which they were multiplied; unchanged where alpha is 0."""
    divisor = np.where(alpha > 0, alpha, 1)[:, :, None]
    return np.clip(pixels / divisor, 0, 1)
