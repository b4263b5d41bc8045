"""When an attempt will be done, told so that the number can be relied on."""

from __future__ import annotations

import math
from collections import deque

LEAST = 0.02
"""The share of the work that must have been seen before a time is told."""
_SMOOTH = 8.0  # seconds in which an estimate forgets most of what it was
_POINTS = 256


class Eta:
    """Estimates the seconds that are left, from when which share of the work was done.

    The pace is that of the later half of the time: the first levels of a picture are slow for
    what they do. Between two looks the estimate runs down like a clock, and moves towards the new
    one only slowly, so that it does not jump.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_POINTS)
        self._left: float | None = None

    def seconds(self, now: float, fraction: float) -> float | None:
        """What is left at `now`, where `fraction` of the work is done; None: unknown yet."""
        if self._seen and fraction < self._seen[-1][1]:  # it began anew
            self._seen.clear()
            self._left = None
        before = self._seen[-1][0] if self._seen else now
        if not self._seen or now > before:
            self._note(now, fraction)
        if fraction >= 1:
            return 0.0
        found = self._estimate(now, fraction)
        if self._left is None or found is None:
            self._left = found
        else:
            weight = 1 - math.exp((before - now) / _SMOOTH)
            running_down = max(0.0, self._left - (now - before))
            self._left = running_down + weight * (found - running_down)
        return self._left

    def _note(self, now: float, fraction: float) -> None:
        if len(self._seen) == _POINTS:
            kept = list(self._seen)[::2]
            self._seen.clear()
            self._seen.extend(kept)
        self._seen.append((now, fraction))

    def _estimate(self, now: float, fraction: float) -> float | None:
        first, at = self._seen[0]
        if fraction - at < LEAST:
            return None
        middle = (first + now) / 2
        since, done = max(point for point in self._seen if point[0] <= middle)
        if fraction <= done:
            since, done = first, at
        return (now - since) / (fraction - done) * (1 - fraction)
