"""Functions for Pillow that the readers of several formats use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image


class Opener(Protocol):
    """Opens files with Pillow, and refuses those that exceed the limits."""

    def __call__(self, file: BinaryIO) -> Image.Image:
        """The picture, not yet decoded, whose header has been checked."""
        ...

    def check_size(self, width: int, height: int) -> None:
        """Raise PictureError for more pixels than the limit."""
        ...


def orientation_of(image: Image.Image) -> int:
    """The orientation in EXIF, from 1 to 8; 1 if there is none."""
    try:
        said = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF raises many types of errors; the pixels are valid
        return 1
    return said if isinstance(said, int) and 1 <= said <= 8 else 1


def profile_of(image: Image.Image) -> bytes | None:
    """The ICC profile; b"" if it could not be read, None if there is none."""
    return (image.info["icc_profile"] or b"") if "icc_profile" in image.info else None


def sixteen_bits(image: Image.Image, reopen: Callable[[], Image.Image]) -> NDArray[Any]:
    """(height, width, channels) uint16 of `image`, of which Pillow keeps only 8 bits.

    It is decoded twice: Pillow's raw mode gives the higher byte of each value, and the raw mode of
    the other byte order gives the lower one.
    """
    mode = raw_mode(image).replace("RGBa", "RGBA")
    order = {"N": sys.byteorder[0].upper()}.get(mode[-1], mode[-1])
    other = {"L": "B", "B": "L"}[order]
    values = _decoded(image, mode).astype(np.uint16)
    values <<= 8
    with reopen() as again:
        values |= _decoded(again, mode[:-1] + other)
    return values


def _decoded(image: Image.Image, mode: str) -> NDArray[Any]:
    set_raw_mode(image, mode)
    image.info.pop("transparency", None)
    return np.asarray(image)


def raw_mode(image: Image.Image) -> str:
    """The raw mode with which Pillow will unpack a picture that is not decoded yet."""
    arguments: Any = image.tile[0].args  # type: ignore[attr-defined]
    mode: str = arguments if isinstance(arguments, str) else arguments[0]
    return mode


def set_raw_mode(image: Image.Image, mode: str) -> None:
    """Set the raw mode with which Pillow will unpack a picture that is not decoded yet."""
    tiles: list[Any] = image.tile  # type: ignore[attr-defined]
    image.tile = [  # type: ignore[attr-defined]
        tile._replace(args=mode if isinstance(tile.args, str) else (mode, *tile.args[1:]))
        for tile in tiles
    ]
