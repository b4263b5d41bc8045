"""Estimates how long an attempt will still take, by a number that does not jump."""

from __future__ import annotations

import math

LEAST = 0.02
"""The share of the work that must be done before there is an estimate."""
_LEAP = 5.0
"""A share that is done so many times as fast as those before was not work, but left out."""
_SMOOTH = 8.0  # time constant, in seconds, of the smoothing of estimates
_POINTS = 256


class Eta:
    """Estimates the remaining seconds from the times at which shares of the work were done.

    The pace is that of the later half of the time, because the first levels of a picture are slow
    for their share of the work. Work that is left out, because a level of the picture needed less
    than planned, says nothing about the pace. Between two calls the last estimate is reduced by the
    time that has passed, and moves towards the new one slowly (exponential smoothing).
    """

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []
        self._left: float | None = None

    def seconds(self, now: float, fraction: float) -> float | None:
        """The remaining seconds at the time `now`, when `fraction` is done; None: unknown."""
        if self._seen and fraction < self._seen[-1][1]:  # the work was started again
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
        self._leave_out(now, fraction)
        if len(self._seen) == _POINTS:
            self._seen = self._seen[::2]
        self._seen.append((now, fraction))

    def _leave_out(self, now: float, fraction: float) -> None:
        """Count a leap of the share as if it had been there from the beginning."""
        pace = self._pace(*self._seen[-1]) if self._seen else None
        if pace is None:
            return
        before, done = self._seen[-1]
        leap = fraction - done - pace * (now - before)
        if leap > LEAST and leap > _LEAP * pace * (now - before):
            self._seen = [(time, share + leap) for time, share in self._seen]

    def _estimate(self, now: float, fraction: float) -> float | None:
        pace = self._pace(now, fraction)
        return None if pace is None else (1 - fraction) / pace

    def _pace(self, now: float, fraction: float) -> float | None:
        """The share of the work that is done in a second; None while too little was seen."""
        first, at = self._seen[0]
        if fraction - at < LEAST:
            return None
        middle = (first + now) / 2
        since, done = max(point for point in self._seen if point[0] <= middle)
        if fraction <= done:
            since, done = first, at
        return (fraction - done) / (now - since)
