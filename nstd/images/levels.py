"""The scale of values: which number of a file is white, and all values as shares of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nstd.images.model import Array

_SAMPLE = 1_000_000
"""The number of evenly spaced values from which the range is estimated."""
_BAND = 1 << 17
"""Values processed at a time, to save memory."""
_DARKEST = 16.0
"""If nearly all floats are below this, white is not 255: the picture would be nearly black."""
_SLACK = 1e-3
"""Values above white by at most this, from rounding or sharpening, cause no note."""


def to_shares(
    samples: NDArray[Any], bits: int, *, white: int | None = None, inverted: bool = False
) -> tuple[Array, tuple[str, ...]]:
    """`samples` as float32 shares of white in [0, 1], and a note where values were cut off.

    Unsigned integers of up to 16 bits are shares of their full scale, or of `white`, if the file
    has it. For other numbers, the file does not say what white is: see `_likely_white`.
    NaN and negative numbers are black; with `inverted`, 0 is white.
    """
    top = float(white or _likely_white(samples, bits))
    shares = np.empty(samples.shape, np.float32)
    cut = 0
    for rows in _bands(samples):
        # float64 holds every 32-bit integer
        values = samples[rows].astype(np.float64) / top
        cut += int(np.count_nonzero((values > 1 + _SLACK) | (values < -_SLACK)))
        cut += int(np.count_nonzero(np.isnan(values)))
        values = np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
        shares[rows] = 1 - values if inverted else values
    return shares, (_cut_off(cut, samples.size, top),) if cut else ()


def _likely_white(samples: NDArray[Any], bits: int) -> float:
    """The smallest usual full scale that holds nearly all values.

    A few bright values, such as a hot pixel or a highlight, must not darken all others: the median
    of the values above black decides between 1 and larger scales, and 99 % of the values must fit.
    """
    kind = samples.dtype.kind
    if kind == "u" and bits <= 16:
        return float(2**bits - 1)
    spread = samples.flat[:: _stride(samples.size)].astype(np.float64)
    bright = spread[(spread > 0) & np.isfinite(spread)]
    full = 65535.0 if kind == "f" else float(2 ** (bits - (kind == "i")) - 1)
    if not bright.size:
        return 1.0 if kind == "f" else full
    middle, most = np.quantile(bright, (0.5, 0.99), method="lower")
    if kind == "f":
        if middle <= 1:
            return 1.0
        usual = (255.0, 65535.0) if most > _DARKEST else ()
        return next((white for white in usual if most <= white), float(most))
    scales = (255.0, 65535.0) if bits > 16 else (255.0,)
    return next((white for white in scales if most <= white < full), full)


def _stride(size: int) -> int:
    """The stride of a sample: odd and not a multiple of 3, to include every channel and column."""
    stride = max(1, size // _SAMPLE) | 1
    return stride if stride % 3 else stride + 2


def _bands(samples: NDArray[Any]) -> Iterator[slice]:
    rows = max(1, _BAND * len(samples) // max(1, samples.size))
    return (slice(top, top + rows) for top in range(0, len(samples), rows))


def _cut_off(count: int, size: int, white: float) -> str:
    return (
        f"{count:,} of its {size:,} values lie outside the range from black, 0, to white, "
        f"{white:g}, and were cut off"
    )
