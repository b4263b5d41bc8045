"""A line search for the strong Wolfe conditions (Nocedal, Wright 2006, algorithms 3.5 and 3.6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nstd.backends.gatys.iterate import Point

DECREASE = 1e-4  # c1: the least share of the predicted decrease
CURVATURE = 0.9  # c2: the largest share of the slope that may remain
EXPAND = 4.0  # factor of the next length while the loss still falls steeply
INSIDE = 0.1  # least distance of new lengths from the ends, as a share of the interval


@dataclass(frozen=True)
class Trial:
    """A point on the ray: its distance from the start, as a multiple of the direction, and the
    slope there."""

    length: float
    point: Point
    slope: float


def strong_wolfe(start: Trial, first: float, probe: Callable[[float], Trial], budget: int) -> Trial:
    """The first trial that meets both conditions, or the best one after `budget` probes.

    `start` has length 0 and a negative slope; `first` is the first length to try. No point is
    evaluated twice. Returns `start` when no probe was lower. Raises FloatingPointError when no
    probe was finite.
    """
    low, high = start, None  # low: the best so far; a set high encloses a good length with it
    length = first
    seen_finite = False
    for _ in range(budget):
        trial = probe(length)
        seen_finite |= trial.point.finite
        if not _falls(start, trial) or trial.point.loss >= low.point.loss:
            high = trial
        elif abs(trial.slope) <= -CURVATURE * start.slope:
            return trial
        else:
            behind = trial.slope * (high.length - low.length if high else 1.0) >= 0
            low, high = trial, low if behind else high
        length = _between(low, high) if high else EXPAND * low.length
    if not seen_finite:
        raise FloatingPointError
    return low


def _falls(start: Trial, trial: Trial) -> bool:
    """The first Wolfe condition: whether the loss fell enough for the length."""
    promised = DECREASE * trial.length * start.slope
    return trial.point.finite and trial.point.loss <= start.point.loss + promised


def _between(low: Trial, high: Trial) -> float:
    """A length inside the interval: the minimum of the cubic through both ends, limited to it."""
    span = high.length - low.length
    share = _cubic_minimum(low, high) if high.point.finite else INSIDE
    return low.length + min(max(share, INSIDE), 1 - INSIDE) * span


def _cubic_minimum(low: Trial, high: Trial) -> float:
    """The place between low (0) and high (1) of the minimum of the cubic with their losses and
    slopes.

    Nocedal, Wright (2006), equation 3.59, on the unit interval.
    """
    span = high.length - low.length
    slope_low, slope_high = low.slope * span, high.slope * span
    d1 = slope_low + slope_high - 3 * (high.point.loss - low.point.loss)
    d2 = math.sqrt(max(d1 * d1 - slope_low * slope_high, 0.0))
    bottom = slope_high - slope_low + 2 * d2
    return 1 - (slope_high + d2 - d1) / bottom if bottom else 0.5
