"""ICC profiles with curves and a matrix, applied to float values.

All others are applied by Little CMS, through Pillow, with 8 bits per channel; that is too few for
linear or 16-bit values. Formats of the tags: ICC.1:2022.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nstd.images.space import Curve, Matrix, Space, matrix_from_d50, table_curve

_LONGEST_CURVE = 65_536


def space_of_profile(profile: bytes) -> Space | None:
    """The space of an RGB or grey profile with curves; None for any other or broken profile."""
    try:
        return _parsed(profile)
    except (struct.error, ValueError, KeyError, IndexError):
        return None


def _parsed(profile: bytes) -> Space | None:
    kind, tags = profile[16:20], _tags(profile)
    if profile[36:40] != b"acsp" or profile[20:24] != b"XYZ " or b"A2B0" in tags:
        return None
    if kind == b"GRAY":
        return Space((_curve(tags[b"kTRC"]),))
    if kind != b"RGB ":
        return None
    columns = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
    curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    matrix: Matrix = matrix_from_d50(columns)
    return Space(curves, matrix) if np.isfinite(matrix).all() else None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > 100:
        raise ValueError(count)
    rows = (struct.unpack_from(">4sII", profile, 132 + 12 * at) for at in range(count))
    return {name: profile[offset : offset + size] for name, offset, size in rows}


def _xyz(tag: bytes) -> tuple[float, ...]:
    if tag[:4] != b"XYZ ":
        raise ValueError(tag[:4])
    return tuple(each / 65536 for each in struct.unpack_from(">3i", tag, 8))


def _curve(tag: bytes) -> Curve:
    """A `curveType` or `parametricCurveType`."""
    if tag[:4] == b"para":
        return _parametric(tag)
    (count,) = struct.unpack_from(">I", tag, 8)
    if tag[:4] != b"curv" or count > _LONGEST_CURVE:
        raise ValueError(tag[:4])
    if count == 0:
        return lambda values: values
    if count == 1:
        gamma = struct.unpack_from(">H", tag, 12)[0] / 256
        return lambda values: np.maximum(values, 0) ** gamma
    return table_curve(np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535)


def _parametric(tag: bytes) -> Curve:
    """Y = (aX + b)^g + c from d on, and eX + f below; the five forms are cases of this one."""
    (form,) = struct.unpack_from(">H", tag, 8)
    count = (1, 3, 4, 5, 7)[form]
    said = [each / 65536 for each in struct.unpack_from(f">{count}i", tag, 12)]
    g, a, b, rest = said[0], 1.0, 0.0, said[3:]
    if form:
        a, b = said[1:3]
    c = d = e = f = 0.0
    if form in (1, 2):
        c = f = rest[0] if rest else 0.0
        d = -b / a if a else 0.0
    elif form >= 3:
        e, d = rest[:2]
        c, f = rest[2:] if form == 4 else (0.0, 0.0)

    def curve(values: NDArray[Any]) -> NDArray[Any]:
        power = np.maximum(a * values + b, 0) ** g + c
        return np.where(values >= d, power, e * values + f)

    return curve
