"""Writes GIFs: 256 colours for each scene, and no crawling of dots where nothing moves.

Pillow quantises and packs each frame; its own writer of animations keeps all frames in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

from nstd import __version__
from nstd.images.film.order import Order
from nstd.images.film.pacing import Timed
from nstd.images.model import Array

_COLORS = 256
_WORSE = 1.15
"""A palette is kept until its mean error is so many times that of one made for the frame."""
_UNMOVED = 2 / 255
"""A pixel whose colour has changed by less than this keeps its place in the palette."""
_KEEP, _CLEAR = 1, 2
"""What happens to a frame before the next one: it stays, or is cleared."""
_ENCODED_BY = f"nstd {__version__}\n"

Indices = NDArray[np.uint8]


def write_gif(file: BinaryIO, order: Order, frames: Iterator[Timed]) -> None:
    """Write the frames, whose times are in 1/100 s.

    A pixel whose alpha is below one half is transparent, any other opaque.
    """
    painter = _Painter()
    for number, timed in enumerate(frames):
        frame = timed.frame
        if not number:
            height, width, _ = frame.pixels.shape
            file.write(b"GIF89a" + struct.pack("<HH3x", width, height))
            file.write(_repetition(order.facts.loops))
            file.write(_comment(_ENCODED_BY + order.recipe))
        image = painter.painted(frame.pixels, frame.alpha)
        how: dict[str, Any] = {"disposal": _KEEP}
        if frame.alpha is not None:
            how = {"disposal": _CLEAR, "transparency": _COLORS - 1}
        duration = 10 * timed.duration
        file.writelines(
            GifImagePlugin.getdata(image, duration=duration, include_color_table=True, **how)
        )
    file.write(b";")


def read_gif_recipe(file: BinaryIO) -> str | None:
    """The recipe in a GIF that nstd wrote; None for another."""
    with Image.open(file, formats=["GIF"]) as image:
        comment = image.info.get("comment", b"")
    if not comment.startswith(b"nstd ") or b"\n" not in comment:
        return None
    return str(comment.partition(b"\n")[2], "utf-8")


class _Painter:
    """Brings frames to a palette, which stays as long as it fits: usually for a scene."""

    def __init__(self) -> None:
        self._palette: Image.Image | None = None
        self._pixels: Array = np.empty(0, np.float32)
        self._indices: Indices = np.empty(0, np.uint8)

    def painted(self, pixels: Array, alpha: Array | None) -> Image.Image:
        """The frame in mode P; the last colour is the transparent one, if `alpha` is given."""
        image = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
        fresh = image.quantize(_COLORS - (alpha is not None), Image.Quantize.FASTOCTREE)
        if self._palette is None or _error(image, self._palette) > _WORSE * _error(image, fresh):
            self._palette = fresh
            indices = _dithered(image, fresh)
            self._pixels = pixels.copy()
        else:
            indices = _dithered(image, self._palette)
            unmoved = (np.abs(pixels - self._pixels) < _UNMOVED).all(axis=2)
            indices[unmoved] = self._indices[unmoved]
            self._pixels[~unmoved] = pixels[~unmoved]
        self._indices = indices
        shown = indices if alpha is None else np.where(alpha < 0.5, np.uint8(_COLORS - 1), indices)
        made = Image.fromarray(shown)
        colors = self._palette.getpalette() or []
        made.putpalette(bytes(colors[: 3 * _COLORS]).ljust(3 * _COLORS, b"\0"))
        return made


def _dithered(image: Image.Image, palette: Image.Image) -> Indices:
    dithered = image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    return np.array(dithered)


def _error(image: Image.Image, palette: Image.Image) -> float:
    """The mean distance of the pixels to the nearest colours of a palette, in levels."""
    nearest = image.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    return float(np.abs(np.asarray(image, np.int16) - np.asarray(nearest, np.int16)).mean()) + 0.1


def _repetition(loops: int) -> bytes:
    """The extension of Netscape, which says how often it is played again; 0 for ever."""
    if loops == 1:
        return b""
    again = min(max(0, loops - 1), 65_535)
    return b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", again, 0)


def _comment(text: str) -> bytes:
    data = text.encode()
    parts = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"!\xfe" + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
