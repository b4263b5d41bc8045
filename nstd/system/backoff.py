"""How long to wait before something that failed is tried again."""

from __future__ import annotations

_DOUBLINGS = 60
"""More would leave the range of a float, and every `longest` is reached before."""


def backoff(failures: int, first: float, longest: float) -> float:
    """Seconds to wait after so many failures in a row: `first`, doubled each time to `longest`."""
    return min(longest, first * 2.0 ** min(failures - 1, _DOUBLINGS))
