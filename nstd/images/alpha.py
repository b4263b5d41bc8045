"""Transparency: how a picture looks on a white page, and the way back."""

from __future__ import annotations

import numpy as np

from nstd.images.model import Array

_ROUNDING = 1e-3
_MORE = 4
"""The most that a pixel's alpha may be multiplied by, so that transparent parts stay
transparent."""


def over_white(pixels: Array, alpha: Array) -> Array:
    """The picture over a white background: opaque, with the same shapes and ranges."""
    cover = alpha[:, :, None]
    return pixels * cover + (1 - cover)


def off_white(painted: Array, alpha: Array) -> tuple[Array, Array]:
    """Pixels and alpha that give `painted` over white, and contain as little white as possible.

    `painted` is opaque, (height, width, 3) in [0, 1]; `alpha`, (height, width), is the wanted
    alpha. Where `painted` is darker than this alpha can show over white, alpha is larger, up to
    `_MORE` times. So the result over white equals `painted` from an alpha of 1/4 on, transparent
    pixels stay transparent, and a soft edge fades out without a halo.
    """
    painted = np.clip(painted, 0, 1)
    needed = np.minimum(1 - painted.min(axis=2), _MORE * alpha)
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
