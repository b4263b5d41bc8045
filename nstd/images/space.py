"""Colour spaces of RGB values without an ICC profile, or with more than 8 bits.

Chromaticities and transfer functions by the code points of Recommendation ITU-T H.273, as PNG
(cICP) and AVIF (nclx) use them, and by PNG's chunks gAMA and cHRM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Curve = Callable[[NDArray[Any]], NDArray[Any]]
"""From encoded values to linear light; 0 is black, 1 white."""
Chromaticities = tuple[float, ...]
"""x and y of white, red, green and blue."""

_BAND_PIXELS = 1 << 15
_SRGB: Chromaticities = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, Chromaticities] = {
    1: _SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (0.3127, 0.3290, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])  # ICC.1:2022, 7.2.16
_USUAL_GAMMA = 1 / 2.2
_HDR_WHITE = 203.0
"""The luminance of white, in cd/m2, in a picture of high dynamic range (Report ITU-R BT.2408)."""


@dataclass(frozen=True)
class Space:
    """A curve for each channel, or one for all, then a matrix to linear sRGB; None: identity."""

    curves: tuple[Curve, ...]
    matrix: Matrix | None = None
    note: str = ""

    def to_srgb(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert (height, width, 1 or 3) values of this space to sRGB, in place."""
        rows = max(1, _BAND_PIXELS // values.shape[1])
        for top in range(0, len(values), rows):
            band = slice(top, top + rows)
            values[band] = encode_srgb(self._light(values[band]))
        return values

    def _light(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """The values as linear sRGB; grey stays one channel."""
        if len(self.curves) == 1 or values.shape[2] == 1:
            light = self.curves[0](values.astype(np.float64))
        else:
            light = np.stack(
                [curve(values[:, :, at]) for at, curve in enumerate(self.curves)], axis=2
            )
        return light if self.matrix is None or values.shape[2] == 1 else light @ self.matrix.T


def encode_srgb(light: NDArray[Any]) -> NDArray[np.float32]:
    """Linear light as sRGB (IEC 61966-2-1), clamped to [0, 1]."""
    light = np.clip(light, 0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return encoded.astype(np.float32)


def decode_srgb(values: NDArray[Any]) -> NDArray[Any]:
    """sRGB as linear light."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def space_of_gamma(gamma: float | None, given: Chromaticities | None) -> Space | None:
    """The space of PNG's gAMA and cHRM; None if it is sRGB or invalid."""
    usual = gamma is None or abs(gamma - _USUAL_GAMMA) < 0.005
    if gamma is not None and not 0.01 < gamma < 100:
        return None
    matrix = None if given is None else _to_linear_srgb(given)
    if usual and matrix is None:
        return None
    exponent = 1.0 if gamma is None else 1 / gamma
    return Space((decode_srgb if usual else lambda values: values**exponent,), matrix)


def space_of_code_points(primaries: int, transfer: int, *, full: bool = True) -> Space | None:
    """The space of ITU-T H.273's code points; None if it is sRGB or not specified.

    The curve of BT.709, which is one of cameras, is treated as that of sRGB, as displays do.
    """
    given = _PRIMARIES.get(primaries)
    matrix = None if given is None else _to_linear_srgb(given)
    curve = _CURVES.get(transfer)
    if matrix is None and curve is None and full:
        return None
    curve = curve or decode_srgb
    if not full:
        curve = _of_narrow_range(curve)
    note = "light brighter than white was cut off" if transfer in (16, 18) else ""
    return Space((curve,), matrix, note)


def matrix_from_d50(columns: Matrix) -> Matrix:
    """The matrix from linear RGB to linear sRGB; the columns are the D50 XYZ of the primaries."""
    srgb = _adaptation(_white(_SRGB), _D50) @ _to_xyz(_SRGB)
    matrix: Matrix = np.linalg.inv(srgb) @ columns
    return matrix


def _to_linear_srgb(given: Chromaticities) -> Matrix | None:
    """The matrix to linear sRGB; None for sRGB's primaries and for invalid chromaticities."""
    if np.allclose(given, _SRGB, atol=0.002):
        return None
    try:
        xyz = _adaptation(_white(given), _white(_SRGB)) @ _to_xyz(given)
        matrix: Matrix = np.linalg.inv(_to_xyz(_SRGB)) @ xyz
    except (ZeroDivisionError, np.linalg.LinAlgError):
        return None
    return matrix if np.isfinite(matrix).all() and np.abs(matrix).max() < 100 else None


def _to_xyz(given: Chromaticities) -> Matrix:
    """The matrix from linear RGB to XYZ (SMPTE RP 177)."""
    columns = np.array([_xyz(*given[at : at + 2]) for at in (2, 4, 6)]).T
    matrix: Matrix = columns * np.linalg.solve(columns, _white(given))
    return matrix


def _white(given: Chromaticities) -> Matrix:
    return _xyz(given[0], given[1])


def _xyz(x: float, y: float) -> Matrix:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(source: Matrix, target: Matrix) -> Matrix:
    """The Bradford adaptation matrix, as used by ICC profiles."""
    gain = np.diag((_BRADFORD @ target) / (_BRADFORD @ source))
    matrix: Matrix = np.linalg.inv(_BRADFORD) @ gain @ _BRADFORD
    return matrix


def _power(exponent: float) -> Curve:
    return lambda values: np.maximum(values, 0) ** exponent


def _pq(values: NDArray[Any]) -> NDArray[Any]:
    """The curve of SMPTE ST 2084, with `_HDR_WHITE` as 1."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = np.maximum(values, 0) ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return np.asarray(light * (10_000 / _HDR_WHITE))


def _hlg(values: NDArray[Any]) -> NDArray[Any]:
    """The curve of hybrid log-gamma (ITU-R BT.2100), to scene light; 0.75 is white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    white = (np.exp((0.75 - c) / a) + b) / 12
    return np.asarray(np.maximum(light / white, 0) ** 1.2)


_CURVES: dict[int, Curve] = {
    4: _power(2.2),
    5: _power(2.8),
    8: lambda values: values,
    16: _pq,
    17: lambda values: np.maximum(values, 0) ** 2.6 * (52.37 / 48),
    18: _hlg,
}


def _of_narrow_range(curve: Curve) -> Curve:
    """The curve for values of narrow range, between 16 and 235 of 255."""
    return lambda values: curve(np.clip((values * 255 - 16) / 219, 0, 1))


def table_curve(table: Sequence[float] | NDArray[Any]) -> Curve:
    """The curve through evenly spaced points."""
    points = np.linspace(0, 1, len(table))
    return lambda values: np.interp(values, points, table)


def adobe_rgb() -> Space:
    """Adobe RGB (1998)."""
    primaries = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    return Space((_power(2.19921875),), _to_linear_srgb(primaries))
