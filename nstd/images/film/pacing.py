"""When each frame of a written film is shown, in the units of its format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from nstd.images.film.model import Frame


@dataclass(frozen=True)
class Timed:
    """A frame to be written, and its start and duration in units; the first one starts at 0."""

    frame: Frame
    start: int
    duration: int


@dataclass
class Pacer:
    """Gives the frames their times in multiples of `unit` seconds.

    Each time is rounded on its own, so that errors do not add up. A frame that would start less
    than `shortest` units after the one before is left out. Holds two frames in memory.
    """

    unit: Fraction
    shortest: int = 1
    dropped: int = field(default=0, init=False)
    rounded: bool = field(default=False, init=False)
    written: int = field(default=0, init=False)
    end: int = field(default=0, init=False)

    def timed(self, frames: Iterable[Frame]) -> Iterator[Timed]:
        """The frames that are written."""
        held: tuple[Frame, int] | None = None
        origin: Fraction | None = None
        until = 0
        for frame in frames:
            origin = frame.moment.time if origin is None else origin
            start = self._units(frame.moment.time - origin)
            until = self._units(frame.moment.time + frame.moment.duration - origin)
            if held is not None and start - held[1] < self.shortest:
                self.dropped += 1
                continue
            if held is not None:
                yield self._timed(*held, start)
            held = frame, start
        if held is not None:
            yield self._timed(*held, max(until, held[1] + self.shortest))

    @property
    def seconds(self) -> float:
        """The length of what was written."""
        return float(self.end * self.unit)

    def notes(self, format: str) -> tuple[str, ...]:
        """What is not as in the film that was given; `format` is a name for people."""
        notes = []
        if self.dropped:
            most = 1 / (self.unit * self.shortest)
            notes.append(
                f"{self.dropped:,} frames were left out: {format} shows at most {float(most):.4g} "
                "in a second"
            )
        if self.rounded:
            notes.append(f"times were rounded to {float(self.unit):.3g} s, as {format} has them")
        return tuple(notes)

    def _units(self, seconds: Fraction) -> int:
        units = seconds / self.unit
        self.rounded = self.rounded or units.denominator != 1
        return round(units)

    def _timed(self, frame: Frame, start: int, end: int) -> Timed:
        self.written += 1
        self.end = end
        return Timed(frame, start, end - start)
