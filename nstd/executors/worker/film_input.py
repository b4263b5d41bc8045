"""The film of a job: opened with its settings, and single frames of films as pictures."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from nstd.documents.film import STILL, FilmSettings, bounds_of
from nstd.executors.contract import Assignment
from nstd.executors.worker.inputs import SERIES_SIDE, Decoder, flatten
from nstd.images.film.model import FilmLimits, Frame, FrameChoice
from nstd.images.film.reader import Film, Tick, open_film, open_still
from nstd.images.film.small import smaller
from nstd.images.model import Picture

if TYPE_CHECKING:
    from nstd.backend import Pixels

SAMPLE = 12
"""The most frames of a film that stand for the whole, in a series and on a sheet."""


class FilmInput:
    """The film that is the content of a job, and which of its frames are wanted.

    `tick` is called for each frame that is looked at.
    """

    def __init__(self, assignment: Assignment, tick: Tick) -> None:
        assert assignment.film is not None and assignment.job.film is not None
        self._film = assignment.job.film
        self._job, self._decoder, self._tick = assignment.job, Decoder(assignment), tick
        self._given = assignment.job.given("content")[0]
        self._path = assignment.folder / self._given.file
        self._limits = FilmLimits(**assignment.film.model_dump())
        self._choice = choice_of(self._film)

    def open(self) -> Film:
        """Open the film, with frames of the job's size.

        Raises PictureError with the film's name in the sidecar.
        """
        if self._film.kind == STILL:
            return self._open_still()
        with self._decoder.with_sidecar_name(self._given):
            return open_film(
                self._path,
                limits=self._limits,
                choice=self._choice,
                max_side=self._job.size,
                enlarge=self._job.enlarge,
                tick=self._tick,
            )

    def _open_still(self) -> Film:
        picture = self._decoder.content()
        assert self._film.seconds is not None and self._choice.fps is not None
        with self._decoder.with_sidecar_name(self._given):
            return open_still(
                self._path,
                picture,
                seconds=Fraction(str(self._film.seconds)),
                rate=self._choice.fps,
                limits=self._limits,
                choice=self._choice,
                tick=self._tick,
            )

    def notes(self, film: Film) -> tuple[str, ...]:
        """What is unusual about the film, with its name."""
        notes = [*film.notes]
        unused = [role for role in ("init", "series") if self._job.given(role)]
        notes += [f"{role} has no effect on a film" for role in unused]
        return tuple(f"{self._given.source}: {note}" for note in notes)


def choice_of(film: FilmSettings) -> FrameChoice:
    """The frames that a sidecar chooses."""
    first, last = (1, None) if film.frames is None else bounds_of(film.frames)
    fps = None if film.fps is None else Fraction(str(film.fps))
    return FrameChoice(first=first, last=last, every=film.every or 1, fps=fps)


def seen(frame: Frame) -> Pixels:
    """The pixels of a frame over white."""
    return flatten(Picture(frame.pixels, frame.alpha))


def spread(count: int, most: int = SAMPLE) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread, in the middle of their parts."""
    taken = min(count, most)
    return [(2 * part + 1) * count // (2 * taken) for part in range(taken)]


def poster_of(count: int) -> int:
    """The index of the frame that stands for a film of so many; the first one is often black."""
    indexes = spread(count)
    return indexes[len(indexes) // 3]


class FilmSample(NamedTuple):
    """What stands for a film: one frame in its size, and small ones from its whole length."""

    poster: Pixels
    series: tuple[Pixels, ...] = ()


def sample_of(film: Film, *, has_series: bool) -> FilmSample:
    """The sample of a film, by one reading of it; without `has_series` the poster alone."""
    poster = poster_of(len(film.moments))
    indexes = spread(len(film.moments)) if has_series else [poster]
    series: list[Pixels] = []
    shown: Pixels | None = None
    for index, frame in zip(indexes, film.frames_at(indexes), strict=True):
        pixels = seen(frame)
        shown = pixels if index == poster else shown
        if has_series:
            series.append(smaller(pixels, SERIES_SIDE))
    assert shown is not None
    return FilmSample(shown, tuple(series))
