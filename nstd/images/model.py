"""The data that the modules for decoding exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nstd.images.space import Space

Array = NDArray[np.float32]
Scale = Callable[[Image.Image], Image.Image]
"""Resizes a decoded picture to the wanted size."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    `pixels` is (height, width, 3) float32, sRGB, in [0, 1]; `alpha`, where the file has
    transparency, is (height, width) float32 in [0, 1], not multiplied into the pixels. `notes`
    says what is unusual about the file, without preventing its use.
    """

    pixels: Array
    alpha: Array | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width, _ = self.pixels.shape
        return width, height


@dataclass(frozen=True)
class Stored:
    """A picture as stored in its file: not yet in sRGB and not yet upright.

    Either `image`, with 8 bits per channel, or, for more bits, `values`: (height, width, 1 or 3)
    float32 in [0, 1], where 1 is white. `alpha` is (height, width) float32; that of an image may
    be a channel of the image. `profile` is an ICC profile, b"" if it cannot be read, None if there
    is none; without a profile, `space` may say what the values mean. `orientation` is that of EXIF.
    """

    image: Image.Image | None = None
    values: Array | None = None
    alpha: Array | None = None
    profile: bytes | None = None
    space: Space | None = None
    orientation: int = 1
    notes: tuple[str, ...] = ()


class UnreadKindError(Exception):
    """A valid file of a kind that is not read; the text names the kind."""


class ExtraNeededError(Exception):
    """A file of a kind that only an optional dependency reads; the text names the kind."""


class TooMuchWorkError(Exception):
    """A small file that would take very long to decode; the text says why."""
