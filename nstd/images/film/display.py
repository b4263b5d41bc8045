"""How a film's frames are to be shown: turned, and with what shape of pixels."""

from __future__ import annotations

import struct
from fractions import Fraction

_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
"""EXIF's orientation, by the signs of a, b, c and d of a display matrix (ISO/IEC 14496-12, 8.3.2):
a pixel at (x, y) is shown at (a x + c y, b x + d y)."""
_MOST_STRETCHED = 10
"""A pixel of a shape beyond this is a fault in the file."""


def orientation_of_matrix(matrix: bytes) -> int | None:
    """The orientation, from 1 to 8, of a display matrix as FFmpeg gives it; None for others.

    The matrix is nine numbers of 32 bits; small deviations from a quarter of a turn are ignored.
    """
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    largest = max(map(abs, (a, b, c, d))) or 1
    signs = tuple(round(each / largest) for each in (a, b, c, d))
    return _ORIENTATIONS.get(signs)


def shown_size(
    width: int, height: int, aspect: Fraction | None, orientation: int
) -> tuple[int, int]:
    """The size with square pixels, upright; one side grows, so that no detail is lost.

    `aspect` is width by height of a pixel.
    """
    if aspect and 1 / _MOST_STRETCHED < aspect < _MOST_STRETCHED:
        width = max(width, round(width * aspect))
        height = max(height, round(height / aspect))
    return (height, width) if orientation >= 5 else (width, height)
