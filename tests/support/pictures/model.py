"""The picture that the files of the table hold, and what a case of it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]

HEIGHT, WIDTH = 11, 19
_X, _Y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
RGB = np.stack([_X % 16, (_Y + 3) % 16, (_X + 2 * _Y) % 16], axis=2) / 15
GREY = ((_X + 3 * _Y) % 16) / 15
CMYK = np.stack([_X % 16, (_Y + 3) % 16, (_X + _Y) % 16, (_X * 0 + 3)], axis=2) / 15
ALPHA = np.array([0, 3, 9, 15, 15])[_X // 4] / 15
"""In blocks, so that a soft edge and a hard one are in it."""
CMYK_RGB = (1 - CMYK[:, :, :3]) * (1 - CMYK[:, :, 3:])


@dataclass(frozen=True)
class Case:
    """A file, and the picture that it holds: (height, width, 3) or grey, sRGB, in [0, 1]."""

    name: str
    data: bytes
    shown: Values
    alpha: Values | None = None
    tolerance: float = 1.01 / 255
    notes: int = 0
    extra: bool = False
    """Whether it is read by the extra `tiff` alone."""


def integers(values: Values, bits: int) -> Values:
    """Shares of white as integers of `bits`."""
    kind = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
    made: Values = np.rint(values * (2**bits - 1)).astype(kind)
    return made


def lightness(share: Values) -> Values:
    """The sRGB grey of CIE lightness 100 times `share`."""
    f = (100 * share + 16) / 116
    return encoded(np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)))


def turned(pixels: Values, orientation: int) -> Values:
    """How a viewer shows stored `pixels` of this EXIF orientation."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}
    return np.flip(pixels, flips.get(orientation, ()))


P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
"""White, red, green and blue of Display P3."""
P3_TO_SRGB = np.array(
    [[1.22494, -0.22494, 0], [-0.04206, 1.04206, 0], [-0.01964, -0.07864, 1.09827]]
)
"""As CSS Color 4 has it, by way of XYZ."""


def encoded(light: Values) -> Values:
    """Linear light as sRGB (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def linear(values: Values) -> Values:
    """The inverse."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
