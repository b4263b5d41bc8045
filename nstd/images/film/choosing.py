"""Chooses frames of a film, and finds how long each of them is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from nstd.errors import PictureError
from nstd.images.film.failures import broken, refused
from nstd.images.film.model import FilmFacts, FilmLimits, FrameChoice, Moment
from nstd.images.film.source import DecodedFrame, Source
from nstd.system.units import counted

FASTEST = 1000
"""The most frames in a second; a film of more is no film that anybody could watch."""
_USUAL_RATE = 25
_MUCH = 0.9
"""The share of the length that a film's container says, below which the rest is missed."""
_FINEST, _USUAL_UNIT = 1_000_000, 90_000
"""Parts of a second."""


class NoneChosenError(PictureError):
    """None of the chosen frames is there; `frames` is how many the film has."""

    frames: int


class _Candidate(NamedTuple):
    """A frame that may be chosen: its number, from 1, and its time in seconds."""

    number: int
    time: Fraction
    has_alpha: bool


@dataclass
class FilmSurvey:
    """The moments of the chosen frames, and the facts of the film as they were found."""

    moments: tuple[Moment, ...]
    facts: FilmFacts
    notes: tuple[str, ...]


def check_claims(name: str, facts: FilmFacts, choice: FrameChoice, limits: FilmLimits) -> None:
    """Refuse a film that exceeds the limits by what its container says."""
    check_pixels(name, (facts.width, facts.height), limits)
    if facts.rate is not None and facts.rate > FASTEST:
        raise _too_fast(name)
    seconds, frames = facts.seconds, facts.frames
    if frames is not None:
        last = min(choice.last or frames, frames)
        chosen = len(range(choice.first, last + 1, choice.every))
        if seconds is not None:
            seconds *= max(0, last - choice.first + 1) / max(1, frames)
            if choice.fps is not None:
                chosen = min(chosen, math.ceil(seconds * choice.fps))
        if chosen > limits.frames:
            raise _too_many(name, chosen, limits)
    elif choice.last is not None:
        return
    if seconds is not None and seconds > limits.seconds:
        raise _too_long(name, seconds, limits)


def survey(
    name: str, source: Source, choice: FrameChoice, limits: FilmLimits, tick: Callable[[], None]
) -> FilmSurvey:
    """Decode the film up to the last chosen frame.

    Raises PictureError `picture_refused` as soon as it exceeds the limits, or if none of the chosen
    frames is there, and `picture_unreadable` if it has no frame at all.
    """
    seen, found, has_alpha = _Seen(source.facts), list[Moment](), False
    with closing(source.decoded()) as frames:
        for each in _chosen(_candidates(name, frames, seen, choice, limits, tick), choice, seen):
            found.append(Moment(each.number, each.time, Fraction(0)))
            has_alpha = has_alpha or each.has_alpha
            _check_chosen(name, found, limits)
    if not seen.number:
        raise broken(name, "it has no frame that can be decoded")
    if not found:
        raise _none_chosen(name, seen.number)
    moments = _with_durations(found, seen.end)
    facts = replace(seen.facts(), has_alpha=has_alpha, time_unit=_unit_of(moments))
    return FilmSurvey(moments, facts, seen.notes())


def _candidates(
    name: str,
    frames: Iterable[DecodedFrame],
    seen: _Seen,
    choice: FrameChoice,
    limits: FilmLimits,
    tick: Callable[[], None],
) -> Iterator[_Candidate]:
    """The frames that `choice` takes by their numbers; `seen` counts all."""
    for frame in frames:
        tick()
        seen.add(frame)
        _check_frame(name, seen.number, seen.time, frame, limits)
        if choice.last is not None and seen.number > choice.last:
            seen.end, seen.is_end = seen.time, False
            return
        if seen.number >= choice.first and not (seen.number - choice.first) % choice.every:
            yield _Candidate(seen.number, seen.time, frame.has_alpha)


def _chosen(
    candidates: Iterable[_Candidate], choice: FrameChoice, seen: _Seen
) -> Iterator[_Candidate]:
    """The candidates, with `fps` those that are the nearest to one of its moments: to the time of
    the first one, or to 1 / fps, 2 / fps ... after it. A frame is never taken twice."""
    if choice.fps is None:
        yield from candidates
        return
    before = one = None
    start, done = Fraction(0), 0  # so many of the moments have had their frame
    for other in candidates:
        if one is None:
            start = other.time
        elif (until := _moments((one.time + other.time) / 2 - start, choice.fps)) > done:
            done = until
            yield one
        before, one = one, other
    if one is not None:
        half = (one.time - before.time) / 2 if before is not None else Fraction(0)
        if _moments(max(seen.end, one.time + half) - start, choice.fps) > done:
            yield one


def _moments(seconds: Fraction, fps: Fraction) -> int:
    """How many of the moments 0, 1 / fps, 2 / fps ... are earlier than that."""
    return math.ceil(seconds * fps)


@dataclass
class _Seen:
    """Counts the frames of a film, chosen or not.

    `time` is that of the newest one since the first, and `end` when that one ends; or, where the
    rest of the film is not looked at, when the last one that is looked at ends.
    """

    given: FilmFacts
    number: int = 0
    time: Fraction = Fraction(0)
    end: Fraction = Fraction(0)
    is_end: bool = True
    _start: Fraction = Fraction(0)
    _steps: set[Fraction] = field(default_factory=set)

    def add(self, frame: DecodedFrame) -> None:
        """Count one more frame."""
        self.number += 1
        if self.number == 1:
            self._start = frame.time
        before, self.time = self.time, frame.time - self._start
        if self.number > 1 and len(self._steps) < 2:
            self._steps.add(self.time - before)
        self.end = self.time + (frame.duration or self._usual_duration())

    def facts(self) -> FilmFacts:
        """The facts as they were found."""
        facts = replace(self.given, start=self._start)
        if not self.is_end:
            return facts
        rate = facts.rate or (1 / min(self._steps) if len(self._steps) == 1 else None)
        return replace(facts, frames=self.number, seconds=float(self.end), rate=rate)

    def notes(self) -> tuple[str, ...]:
        """What is missing of a film whose end was reached."""
        if not self.is_end:
            return ()
        frames, seconds = self.given.frames or 0, self.given.seconds or 0
        if self.number < frames:
            return (f"only {self.number:,} of its {frames:,} frames can be decoded",)
        if float(self.end) < _MUCH * seconds:
            return (f"its picture ends after {float(self.end):.3g} s of {seconds:.3g} s",)
        return ()

    def _usual_duration(self) -> Fraction:
        """For a frame that does not say its own: the mean so far."""
        if self.given.rate:
            return 1 / self.given.rate
        return self.time / (self.number - 1) if self.number > 1 else Fraction(1, _USUAL_RATE)


def _unit_of(moments: tuple[Moment, ...]) -> Fraction:
    """The longest unit of which all times are multiples; 1/90,000 s if none is long enough."""
    unit = 1
    for each in moments:
        unit = lcm(unit, each.time.denominator, each.duration.denominator)
        if unit > _FINEST:
            return Fraction(1, _USUAL_UNIT)
    return Fraction(1, unit)


def _with_durations(found: list[Moment], end: Fraction) -> tuple[Moment, ...]:
    """Each is shown until the next one, the last until `end`."""
    ends = [*(each.time for each in found[1:]), end]
    return tuple(
        replace(each, duration=until - each.time) for each, until in zip(found, ends, strict=True)
    )


def _check_frame(
    name: str, number: int, time: Fraction, frame: DecodedFrame, limits: FilmLimits
) -> None:
    check_pixels(name, frame.size, limits)
    if number > FASTEST * (time + 1):
        raise _too_fast(name)


def _check_chosen(name: str, found: list[Moment], limits: FilmLimits) -> None:
    if len(found) > limits.frames:
        raise _too_many(name, len(found), limits, "at least ")
    seconds = found[-1].time - found[0].time
    if seconds > limits.seconds:
        raise _too_long(name, float(seconds), limits, "at least ")


def check_pixels(name: str, size: tuple[int, int], limits: FilmLimits) -> None:
    """Refuse frames of this width and height if they have no pixels, or too many."""
    width, height = size
    if min(size) < 1:
        raise broken(name, f"{width} x {height} pixels")
    if width * height > limits.pixels:
        said = f"{width} x {height} pixels, more than the limit of {limits.pixels:,} a frame"
        raise refused(name, said, "film_pixels")


def _too_many(name: str, frames: int, limits: FilmLimits, said: str = "") -> PictureError:
    why = f"{said}{frames:,} frames, more than the limit of {limits.frames:,}"
    return refused(name, why, "film_frames")


def _too_long(name: str, seconds: float, limits: FilmLimits, said: str = "") -> PictureError:
    why = f"{said}{seconds:,.1f} s, more than the limit of {limits.seconds:g} s"
    return refused(name, why, "film_seconds")


def _too_fast(name: str) -> PictureError:
    return broken(name, f"more than {FASTEST:,} frames a second, so its time stamps are broken")


def _none_chosen(name: str, frames: int) -> NoneChosenError:
    has = counted(frames, "frame")
    error = NoneChosenError(
        "picture_refused",
        f"{name}: it has only {has}, and none of them is among those chosen",
        "choose others with output.frames",
    )
    error.frames = frames
    return error
