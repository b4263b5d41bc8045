"""Styles that take turns in a film: how much each counts at a time.

Each style runs from one time to another. Where two overlap, the earlier one fades into the later
one: linearly, over the whole overlap. Styles with the same times are mixed, and fade together.
Each region of the content has turns of its own. All times are seconds since the first frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from nstd.system.units import format_duration


class Span(NamedTuple):
    """When a style runs: from `begin` on, until `end`; None: to the end of the film.

    `name` is that of its picture, `region` that of its region. `weight` is its share of the mix.
    """

    name: str
    begin: float = 0.0
    end: float | None = None
    weight: float = 1.0
    region: str | None = None

    @property
    def until(self) -> float:
        """The end; infinite for that of the film."""
        return math.inf if self.end is None else self.end


@dataclass(frozen=True)
class _Turn:
    """Styles with the same times, by their numbers."""

    begin: float
    until: float
    styles: tuple[int, ...]


class Crossfade:
    """The styles of a job, in their order."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        regions = dict.fromkeys(span.region for span in spans)
        self._turns = {region: self._turns_of(region) for region in regions}

    def _turns_of(self, region: str | None) -> list[_Turn]:
        turns: dict[tuple[float, float], list[int]] = {}
        for number, span in enumerate(self._spans):
            if span.region == region:
                turns.setdefault((span.begin, span.until), []).append(number)
        return [_Turn(*times, tuple(turns[times])) for times in sorted(turns)]

    @property
    def is_moving(self) -> bool:
        """Whether a style has times."""
        return any(span.begin or span.end is not None for span in self._spans)

    def problems(self) -> Iterator[str]:
        """What is wrong with the times, whatever the length of the film."""
        for span in self._spans:
            if span.begin >= span.until:
                times = f"from {format_duration(span.begin)}, to {format_duration(span.until)}"
                yield f"{span.name}: {times}: it ends before it begins"
                return
        for region, turns in self._turns.items():
            if turns[0].begin > 0:
                yield _gap(region, 0.0, f"{format_duration(turns[0].begin)}")
            for before, after in pairwise(turns):
                if after.begin > before.until:
                    yield _gap(region, before.until, format_duration(after.begin))
                if after.until < before.until:
                    yield self._inside(before, after)

    def _inside(self, outer: _Turn, inner: _Turn) -> str:
        one, other = (self._spans[turn.styles[0]].name for turn in (outer, inner))
        return (
            f"{other} begins and ends while {one} runs: say with `to` where {one} ends, and name "
            "it once more where it comes back"
        )

    def gaps_until(self, last: float) -> Iterator[str]:
        """The times without a style at the end of a film; `last` is that of its last frame."""
        for region, turns in self._turns.items():
            if (end := turns[-1].until) <= last:
                yield _gap(region, end, "the end of the film")

    def weights(self, time: float, last: float) -> tuple[float, ...]:
        """The weight of each style at a time; 0: it does not count.

        A fade that is not said to end ends with the last frame, at the time `last`.
        """
        found = [0.0] * len(self._spans)
        for turns in self._turns.values():
            came = 1.0
            for turn, after in zip(turns, [*turns[1:], None], strict=True):
                end = last if math.isinf(turn.until) else turn.until
                gone = 0.0 if after is None else _risen(time, after.begin, end)
                if turn.begin <= time < turn.until:
                    for number in turn.styles:
                        found[number] = self._spans[number].weight * min(came, 1 - gone)
                came = gone
        return tuple(found)

    def change(self, one: float, other: float, last: float) -> float:
        """How much of the mix is another at another time, in [0, 1], in the region where most
        is."""
        before, after = (self.weights(time, last) for time in (one, other))
        return max(_distance(before, after, turns) for turns in self._turns.values())


def _distance(before: Sequence[float], after: Sequence[float], turns: Sequence[_Turn]) -> float:
    """The total variation between the shares of the styles of a region in two mixes."""
    numbers = [number for turn in turns for number in turn.styles]
    one, other = (sum(weights[number] for number in numbers) for weights in (before, after))
    return sum(abs(before[n] / one - after[n] / other) for n in numbers) / 2


def _risen(time: float, start: float, end: float) -> float:
    """How far something has come at a time that rises from `start` to `end`, in [0, 1]."""
    if time < start:
        return 0.0
    return 1.0 if time >= end else (time - start) / (end - start)


def _gap(region: str | None, start: float, end: str) -> str:
    where = "" if region is None else f" in the region {region}"
    return f"there is no style{where} from {format_duration(start)} to {end}"
