"""Chooses frames of a film, and finds how long each of them is shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import lcm

from nstd.errors import PictureError
from nstd.images.film.failures import broken, refused
from nstd.images.film.model import FilmFacts, FilmLimits, FrameChoice, Moment
from nstd.images.film.source import DecodedFrame, Source

FASTEST = 1000
"""The most frames in a second; a film of more is no film that anybody could watch."""
_USUAL_RATE = 25
_MUCH = 0.9
"""The share of the length that a film's container says, below which the rest is missed."""
_FINEST, _USUAL_UNIT = 1_000_000, 90_000
"""Parts of a second."""


@dataclass
class Chooser:
    """Says of one frame after another whether it is chosen."""

    choice: FrameChoice
    _start: Fraction | None = field(default=None, init=False)
    _tick: int = field(default=-1, init=False)

    def takes(self, number: int, time: Fraction) -> bool:
        """Whether the frame of this number, from 1, with this time in seconds, is chosen."""
        choice = self.choice
        if number < choice.first or (number - choice.first) % choice.every:
            return False
        if choice.fps is None:
            return True
        if self._start is None:
            self._start = time
        tick = math.floor((time - self._start) * choice.fps)
        is_next, self._tick = tick > self._tick, max(tick, self._tick)
        return is_next


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
    chooser, seen, found = Chooser(choice), _Seen(source.facts), list[Moment]()
    has_alpha, is_end = False, True
    with closing(source.decoded()) as frames:
        for frame in frames:
            tick()
            time = seen.add(frame)
            _check_frame(name, seen.number, time, frame, limits)
            if choice.last is not None and seen.number > choice.last:
                is_end = False
                break
            if chooser.takes(seen.number, time):
                found.append(Moment(seen.number, time, Fraction(0)))
                has_alpha = has_alpha or frame.has_alpha
                _check_chosen(name, found, limits)
    if not seen.number:
        raise broken(name, "it has no frame that can be decoded")
    if not found:
        raise _none_chosen(name, seen.number)
    moments = _with_durations(found, seen.end if is_end else seen.time)
    facts = replace(seen.facts(is_end), has_alpha=has_alpha, time_unit=_unit_of(moments))
    return FilmSurvey(moments, facts, seen.notes() if is_end else ())


@dataclass
class _Seen:
    """Counts the frames of a film, chosen or not.

    `time` is that of the newest one since the first, and `end` when that one ends.
    """

    given: FilmFacts
    number: int = 0
    time: Fraction = Fraction(0)
    end: Fraction = Fraction(0)
    _start: Fraction = Fraction(0)
    _steps: set[Fraction] = field(default_factory=set)

    def add(self, frame: DecodedFrame) -> Fraction:
        """The time of one more frame since the first."""
        self.number += 1
        if self.number == 1:
            self._start = frame.time
        before, self.time = self.time, frame.time - self._start
        if self.number > 1 and len(self._steps) < 2:
            self._steps.add(self.time - before)
        self.end = self.time + (frame.duration or self._usual_duration())
        return self.time

    def facts(self, is_end: bool) -> FilmFacts:
        """The facts as they were found; `is_end`: the whole film was."""
        facts = replace(self.given, start=self._start)
        if not is_end:
            return facts
        rate = facts.rate or (1 / min(self._steps) if len(self._steps) == 1 else None)
        return replace(facts, frames=self.number, seconds=float(self.end), rate=rate)

    def notes(self) -> tuple[str, ...]:
        """What is missing of a film whose end was reached."""
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


def _none_chosen(name: str, frames: int) -> PictureError:
    return PictureError(
        "picture_refused",
        f"{name}: it has only {frames:,} frames, and none of them is among those chosen",
        "choose others with output.frames",
    )
