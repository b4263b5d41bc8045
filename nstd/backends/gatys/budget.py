"""The budget: how many evaluations each level may take, by count or by time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from operator import mul
from typing import Protocol

from nstd.backends.gatys.pyramid import Level
from nstd.system.units import format_duration

LEAST = 8  # evaluations below which a finer level is not worth its start
OVERHEAD = 32768  # pixels whose work takes as long as what an evaluation costs at any size
FAR = 0.5  # a share of the plan's work; if less than that is done, the user is told
START = 2  # evaluations that the start of a level takes: the targets of content and styles


class Budget(Protocol):
    """The budget of a run. Levels count from 0; `used` are the evaluations made on a level."""

    ends: str
    """The name of the reason for ending a run that has used its budget."""

    def expected(self, level: int, used: int) -> list[int]:
        """The evaluations that `level` and each finer level may still take."""
        ...

    def evaluated(self, level: int) -> None:
        """Note that an evaluation on `level` has just ended."""
        ...

    def fraction(self, level: int, used: int) -> float:
        """The share of the budget that is used, in [0, 1]."""
        ...

    def shortfall(self, level: int, used: int, spent: int) -> str:
        """What to tell the user if the run ends far before the plan, after `used` evaluations of
        `level` and `spent` ones before; else an empty string."""
        ...


class Count:
    """A budget of evaluations: the plan's number for each level."""

    ends = "limit"

    def __init__(self, levels: Sequence[Level]) -> None:
        self._levels = levels

    def expected(self, level: int, used: int) -> list[int]:
        """The plan's numbers, minus those used."""
        here, *finer = (each.evaluations for each in self._levels[level:])
        return [max(0, here - used), *finer]

    def evaluated(self, level: int) -> None:
        """Does nothing: the descent counts."""

    def fraction(self, level: int, used: int) -> float:
        """By work: an evaluation costs its level's pixels, and what it costs at any size."""
        return _share_done(self._levels, level, used)

    def shortfall(self, level: int, used: int, spent: int) -> str:  # noqa: ARG002
        """Nothing: the plan is the budget."""
        return ""


class Clock:
    """A budget of seconds, divided among the levels in proportion to the plan's work.

    The time of an evaluation is proportional to its pixels, so that of the last evaluations
    predicts the next ones, on finer levels too. A level that would get fewer than LEAST
    evaluations is left out, the finest first, and its share goes to the coarser levels.
    """

    ends = "budget"

    def __init__(
        self, levels: Sequence[Level], seconds: float, elapsed: Callable[[], float]
    ) -> None:
        """`elapsed` returns the seconds since the start of the run."""
        self._levels = levels
        self._seconds = seconds
        self._elapsed = elapsed
        self._level, self._since, self._count = -1, 0.0, 0
        self._pace: float | None = None  # seconds per pixel

    def evaluated(self, level: int) -> None:
        """Measure its time; the first one of a level is slow and does not count."""
        now = self._elapsed()
        if level != self._level:
            self._level, self._since, self._count = level, now, 0
            return
        self._count += 1
        self._pace = (now - self._since) / (self._count * self._levels[level].pixels)

    def expected(self, level: int, used: int) -> list[int]:
        """The evaluations that fit into the remaining time; the coarsest level is always
        started."""
        left = self._seconds - self._elapsed()
        if left <= 0 or self._pace is None:
            first = LEAST if left > 0 else int(level + used == 0)
            return [first, *(0 for _ in self._levels[level + 1 :])]
        work = left / max(self._pace, 1e-12)
        finer = self._levels[level:]
        while len(finer) > 1 and _share(finer, used, work)[-1] < LEAST:
            finer = finer[:-1]
        shares = _share(finer, used, work)
        if level and not used and shares[0] < LEAST:
            shares = []
        padded = zip_longest(shares, self._levels[level:], fillvalue=0)
        return [share for share, _ in padded]

    def fraction(self, level: int, used: int) -> float:  # noqa: ARG002
        """The share of the time."""
        return min(1.0, self._elapsed() / self._seconds)

    def shortfall(self, level: int, used: int, spent: int) -> str:
        """The share of the plan's work that was done, if it is less than FAR.

        All levels get the same share of their plan, unless a plateau ends one: so the levels before
        have done at least the share of this one.
        """
        planned = [each.evaluations for each in self._levels]
        begun = spent / sum(planned[:level]) if level else 1.0
        before = min(1.0, max(begun, used / planned[level]))
        share = _share_done(self._levels, level, used, before)
        if share >= FAR:
            return ""
        return (
            f"the budget of {format_duration(self._seconds)} ended the work after {spent + used} "
            f"of the {sum(planned)} steps of the preset, about {max(share, 0.01):.0%} of its work: "
            "give it more time, or ask for a smaller picture"
        )


def _share_done(levels: Sequence[Level], level: int, used: int, before: float = 1.0) -> float:
    """The share of the plan's work that is done after `used` evaluations on `level`, and the share
    `before` of those planned for the levels before it."""
    costs = [each.pixels + OVERHEAD for each in levels]
    counts = [each.evaluations for each in levels]
    done = [*(before * count for count in counts[:level]), min(used, counts[level])]
    return float(sum(map(mul, costs, done)) / sum(map(mul, costs, counts)))


def _share(levels: Sequence[Level], used: int, work: float) -> list[int]:
    """The evaluations of each of `levels` for `work` pixels, after `used` ones on the first
    level."""
    begun = bool(used)
    work -= START * sum(level.pixels for level in levels[begun:])
    work += used * levels[0].pixels
    factor = max(work, 0.0) / sum(level.cost for level in levels)
    here, *finer = (int(level.evaluations * factor) for level in levels)
    return [max(0, here - used), *finer]
