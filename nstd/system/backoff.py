"""Exponential backoff: how long to wait before the next try of something that failed."""

from __future__ import annotations

_DOUBLINGS = 60
"""More doublings would exceed the range of a float; `longest` is always reached earlier."""


def backoff(failures: int, first: float, longest: float) -> float:
    """Seconds to wait after `failures` failures in a row: `first`, doubled each time, at most
    `longest`."""
    return min(longest, first * 2.0 ** min(failures - 1, _DOUBLINGS))
