"""The data that the readers and writers of films exchange."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from nstd.images.film.kinds import FilmKind
from nstd.images.model import Array


@dataclass(frozen=True)
class FilmLimits:
    """The most that a film may have; more is refused.

    `frames` and `seconds` are those that are chosen, `pixels` those of one frame, `bytes` those
    of the file, or of all files of a folder together.
    """

    frames: int
    seconds: float
    pixels: int
    bytes: int


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a film are used, all by default.

    `first` and `last` count from 1, and both are used. `every` = 2 takes every second frame from
    `first` on. `fps` takes so many frames of each second, those that are the nearest to evenly
    spaced moments; a frame is never taken twice, so a slower film stays as it is. A folder of
    frames has no speed of its own: there, `fps` is its speed.
    """

    first: int = 1
    last: int | None = None
    every: int = 1
    fps: Fraction | None = None


@dataclass(frozen=True)
class Moment:
    """When a frame is shown. `number` is that of the frame in the whole film, from 1.

    `time`, since the start of the film, and `duration` are in seconds, and exact. A frame is
    shown until the next chosen one.
    """

    number: int
    time: Fraction
    duration: Fraction


@dataclass(frozen=True)
class Frame:
    """A decoded frame: upright, with square pixels, in sRGB, in the wanted size.

    `pixels` is (height, width, 3) float32 in [0, 1]; `alpha`, where the film has transparency, is
    (height, width) float32 in [0, 1], not multiplied into the pixels.
    """

    moment: Moment
    pixels: Array
    alpha: Array | None = None


@dataclass(frozen=True)
class FilmFacts:
    """What a film is, before anything is chosen of it or resized.

    `width` and `height` are those that are seen: upright, with square pixels. `frames` is the
    number of frames and `seconds` the length: as counted, or, where the end of the film was not
    looked at, as the container says, which may say nothing. `rate` is in frames per second, None
    where it changes. `loops` is how often an animated picture is played, 0 for ever. All times of
    the chosen frames are multiples of `time_unit`, in seconds. `start` is the time of the first
    frame on the clock of the film's file, by which its sound is timed.
    """

    kind: FilmKind
    width: int
    height: int
    codec: str
    frames: int | None = None
    seconds: float | None = None
    rate: Fraction | None = None
    has_sound: bool = False
    has_alpha: bool = False
    loops: int = 0
    time_unit: Fraction = Fraction(1, 1000)
    start: Fraction = Fraction(0)


@dataclass(frozen=True)
class WrittenFilm:
    """What was written: the number of frames, the length in seconds, the size in pixels.

    `notes` say what is not as in the source, such as sound that was encoded again.
    """

    frames: int
    seconds: float
    width: int
    height: int
    notes: tuple[str, ...] = ()
