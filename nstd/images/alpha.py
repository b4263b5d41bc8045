"""Transparency: how a picture looks on a white page, and the way back."""

from __future__ import annotations

import numpy as np

from nstd.images.model import Array

_ROUNDING = 1e-3
_MORE = 4
"""So many times its own alpha a pixel may cover: what is cut out stays cut out."""


def over_white(pixels: Array, alpha: Array) -> Array:
    """The picture as a viewer shows it on a white page: opaque, same shapes and ranges."""
    cover = alpha[:, :, None]
    return pixels * cover + (1 - cover)


def off_white(painted: Array, alpha: Array) -> tuple[Array, Array]:
    """Pixels and alpha that show `painted` over white, and as little white as can be elsewhere.

    `painted` is opaque, (height, width, 3) in [0, 1]; `alpha`, (height, width), is how much of
    it should cover a page. Where something is painted that is darker than this cover can show, it
    covers more, up to `_MORE` times as much. So from an alpha of 1/4 on the result over white is
    the painting, what is fully transparent stays so, and a soft edge fades out without a halo.
    """
    painted = np.clip(painted, 0, 1)
    needed = np.minimum(1 - painted.min(axis=2), _MORE * alpha)
    cover = np.maximum(alpha, needed).astype(np.float32)
    # to a level that a file of 8 bits holds, so that the colours make up for the rounding
    cover = np.ceil(cover * 255 - _ROUNDING) / np.float32(255)
    divisor = np.where(cover > 0, cover, 1)[:, :, None]
    pixels = painted - (1 - cover[:, :, None])
    pixels /= divisor
    return np.clip(pixels, 0, 1, out=pixels), cover


def straight(pixels: Array, alpha: Array) -> Array:
    """Pixels that are multiplied by `alpha` without it; what alpha 0 hides is left as it is."""
    divisor = np.where(alpha > 0, alpha, 1)[:, :, None]
    return np.clip(pixels / divisor, 0, 1)
