"""The hours of the week in which jobs may start, as people write them: `mon-fri 19:00-07:00`.

All times are local. What counts is what a clock on the wall shows, so that nothing has to be done
when the clocks change: an hour that comes twice counts twice, one that is skipped never comes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = 24 * 60
_WEEK = 7 * _DAY
_WINDOW = re.compile(r"(?P<days>[a-z][a-z, -]*?)? *(?:(?P<start>[\d:]+) *- *(?P<end>[\d:]+))?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_LOOK_AHEAD = 15 * 86400
"""Seconds in which a window comes at least once: more than a week, as a change of clocks can skip
one."""


class Window(NamedTuple):
    """Some minutes of some days; `end` is more than a day if it is on the day after."""

    days: tuple[int, ...]  # 0 is Monday
    start: int  # minutes after midnight
    end: int

    def minutes(self) -> Iterator[int]:
        """The minutes of the week, counted from Monday, 00:00."""
        for day in self.days:
            for minute in range(day * _DAY + self.start, day * _DAY + self.end):
                yield minute % _WEEK


def parse_window(text: str) -> Window:
    """The window in `text`: days, hours, or both. Raises ValueError.

    A window that goes over midnight belongs to the day on which it begins.
    """
    match = _WINDOW.fullmatch(text.strip().lower())
    if match is None or not text.strip():
        raise ValueError("expected hours like 'mon-fri 19:00-07:00', 'sat-sun' or '22:00-06:00'")
    days = tuple(_days(match["days"])) if match["days"] else tuple(range(7))
    if match["start"] is None:
        return Window(days, 0, _DAY)
    start, end = _minute(match["start"]), _minute(match["end"])
    if start in {_DAY, end}:
        raise ValueError(f"{text!r} has no length; for whole days, name the days alone")
    return Window(days, start, end if end > start else end + _DAY)


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin = _day(first)
        end = _day(last) if dash else begin
        yield from (day % 7 for day in range(begin, end + 1 + 7 * (end < begin)))


def _day(text: str) -> int:
    name = text.strip()
    found = [day for day, full in enumerate(_DAYS) if len(name) >= 3 and full.startswith(name)]
    if not found:
        raise ValueError(f"no such day: {name!r}; write mon, tue, wed, thu, fri, sat or sun")
    return found[0]


def _minute(text: str) -> int:
    match = _TIME.fullmatch(text)
    minute = int(match[1]) * 60 + int(match[2]) if match else _DAY + 1
    if match is None or int(match[2]) > 59 or minute > _DAY:
        raise ValueError(f"no such time: {text!r}; write it like 07:30, up to 24:00")
    return minute


def _checked(text: str) -> str:
    parse_window(text)
    return text


WindowText = Annotated[str, AfterValidator(_checked)]
"""A window as text, which `parse_window` can read."""


class Schedule:
    """The union of some windows; without a window, all hours."""

    def __init__(self, windows: Iterable[str]) -> None:
        parsed = [parse_window(text) for text in windows]
        self._open = bytearray(_WEEK) if parsed else bytearray(b"\1" * _WEEK)
        for window in parsed:
            for minute in window.minutes():
                self._open[minute] = 1

    def is_open(self, when: float) -> bool:
        """Whether jobs may start at `when`, in seconds since the epoch."""
        local = time.localtime(when)
        return bool(self._open[local.tm_wday * _DAY + local.tm_hour * 60 + local.tm_min])

    def next_opening(self, when: float) -> float | None:
        """The first time from `when` on at which jobs may start; None for none in two weeks."""
        if self.is_open(when):
            return when
        first = (int(when) // 60 + 1) * 60
        minutes = range(first, first + _LOOK_AHEAD, 60)
        return next((float(minute) for minute in minutes if self.is_open(minute)), None)
