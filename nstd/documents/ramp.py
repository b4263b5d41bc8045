"""Ramps: options of a backend that change in a film, like `strength: {0s: 0.2, 5s: 0.9}`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

from nstd.system.units import format_duration, is_duration, parse_duration

RAMPED = frozenset({"strength"})
"""The options that may be a ramp, of a backend that takes a number there."""


class Ramp(NamedTuple):
    """A value over the time of the result: the `times`, in seconds, ascend, and have `values`."""

    times: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def of(cls, points: Mapping[str, Any]) -> Ramp:
        """The ramp with these points, at least one, in any order. Raises ValueError."""
        said: dict[float, float] = {}
        for text, value in points.items():
            time = parse_duration(text)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"expected a number at {text}")
            if time in said:
                raise ValueError(f"has two values at {format_duration(time)}")
            said[time] = value
        times = sorted(said)
        return cls(tuple(times), tuple(said[time] for time in times))

    def at(self, time: float) -> float:
        """The value at a time: linear between two points, that of the nearest point outside."""
        after = bisect_right(self.times, time)
        if after in (0, len(self.times)):
            return self.values[min(after, len(self.times) - 1)]
        start, end = self.times[after - 1 : after + 1]
        share = (time - start) / (end - start)
        return self.values[after - 1] * (1 - share) + self.values[after] * share


def said_ramps(options: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Those of the `options` of a backend that are said as a ramp, valid or not."""
    return {name: options[name] for name in sorted(RAMPED) if is_ramp(options.get(name))}


def ramps_of(options: Mapping[str, Any]) -> dict[str, Ramp]:
    """The ramps among the options of a job. Raises ValueError."""
    return {name: Ramp.of(points) for name, points in said_ramps(options).items()}


def options_at(
    options: Mapping[str, Any], ramps: Mapping[str, Ramp], time: float
) -> dict[str, Any]:
    """The options at a time, in seconds."""
    return {**options, **{name: ramp.at(time) for name, ramp in ramps.items()}}


def is_ramp(said: Any) -> bool:
    """Whether it is a mapping with a time as a key: a plug-in may take a mapping of its own."""
    return isinstance(said, Mapping) and any(is_duration(key) for key in said)
