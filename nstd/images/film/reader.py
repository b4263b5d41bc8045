"""Opens a film of any kind."""

from __future__ import annotations

import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from nstd.images.decode import exactly, open_regular
from nstd.images.enlarge import Enlarging, size_of_side
from nstd.images.film.choosing import check_claims, survey
from nstd.images.film.failures import broken, changed, explained_film, require_extra
from nstd.images.film.kinds import film_kind_of
from nstd.images.film.model import FilmFacts, FilmLimits, Frame, FrameChoice, Moment
from nstd.images.film.source import Source
from nstd.images.film.still import Still
from nstd.images.model import Picture

Tick = Callable[[], None]
"""Called after each frame that is looked at, so that a caller can say that it lives, or cancel."""


@dataclass
class Film:
    """An open film, to be used in a `with` statement.

    `size` is width and height of the frames that it gives; `moments` are those of the chosen
    frames, all of which were decoded once when the film was opened. `notes` say what is unusual
    about the film, without preventing its use.
    """

    path: Path
    facts: FilmFacts
    size: tuple[int, int]
    moments: tuple[Moment, ...]
    notes: tuple[str, ...]
    _source: Source

    @property
    def times(self) -> list[float]:
        """When each chosen frame is shown, in seconds since the first of them."""
        return [float(each.time - self.moments[0].time) for each in self.moments]

    @property
    def end(self) -> float:
        """When the last chosen frame ends, in seconds since the first of them."""
        last = self.moments[-1]
        return float(last.time + last.duration - self.moments[0].time)

    def frames(self, start: int = 0) -> Generator[Frame]:
        """The chosen frames, from the one at index `start` of `moments` on; see `frames_at`."""
        return self.frames_at(range(start, len(self.moments)))

    def frames_at(self, indexes: Sequence[int]) -> Generator[Frame]:
        """The chosen frames at these ascending indexes of `moments`, in one reading of the film.

        The same film gives the same pixels, however often and from wherever it is read. Holds one
        frame in memory. Raises PictureError if the file has changed or its disk fails.
        """
        waiting = [self.moments[index] for index in reversed(indexes)]
        with explained_film(self.path), closing(self._source.decoded()) as every:
            for number, decoded in enumerate(every, 1):
                if not waiting:
                    return
                if number == waiting[-1].number:
                    picture = decoded.develop(partial(exactly, size=self.size))
                    yield self._frame(waiting.pop(), picture)
            if waiting:
                raise changed(self.path.name)

    def _frame(self, moment: Moment, picture: Picture) -> Frame:
        alpha = picture.alpha if self.facts.has_alpha else None
        if self.facts.has_alpha and alpha is None:
            alpha = np.ones(picture.pixels.shape[:2], np.float32)
        return Frame(moment, picture.pixels, alpha)

    def close(self) -> None:
        """Close the film's file."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_film(
    path: Path,
    *,
    limits: FilmLimits,
    choice: FrameChoice = FrameChoice(),  # noqa: B008 - it is frozen
    max_side: int | None = None,
    enlarge: bool = False,
    tick: Tick = lambda: None,
) -> Film:
    """Open the film at `path` and decode the chosen frames once, to find what is wrong with it.

    `max_side` and `enlarge` are those of `load_image`, for each frame.

    Raises PictureError: `picture_missing`; `picture_refused` for a film that exceeds the limits,
    has none of the chosen frames, or is not a regular file or folder; `picture_unreadable` for one
    that is broken, truncated, or of a kind that is not read, and where the extra `film` is not
    installed; `io_error` when the disk fails.
    """
    with explained_film(path):
        require_extra(path.name)
        source = _open_source(path, limits, choice)
        try:
            check_claims(path.name, source.facts, choice, limits)
            size, notes = _size(path.name, source.facts, limits, max_side, enlarge)
            return _opened(path, source, size, notes, limits, choice, tick)
        except BaseException:
            source.close()
            raise


def open_still(
    path: Path,
    picture: Picture,
    *,
    seconds: Fraction,
    rate: Fraction,
    limits: FilmLimits,
    choice: FrameChoice = FrameChoice(),  # noqa: B008 - it is frozen
    tick: Tick = lambda: None,
) -> Film:
    """A film that shows the picture of `path`, in its size, for so many seconds.

    It has `rate` frames in each second. Raises PictureError as `open_film` does.
    """
    require_extra(path.name)
    still = Still(picture, seconds, rate)
    check_claims(path.name, still.facts, choice, limits)
    return _opened(path, still, picture.size, picture.notes, limits, choice, tick)


def _opened(
    path: Path,
    source: Source,
    size: tuple[int, int],
    notes: tuple[str, ...],
    limits: FilmLimits,
    choice: FrameChoice,
    tick: Tick,
) -> Film:
    found = survey(path.name, source, choice, limits, tick)
    notes = (*source.notes, *found.notes, *notes)
    return Film(path, found.facts, size, found.moments, notes, source)


def _open_source(path: Path, limits: FilmLimits, choice: FrameChoice) -> Source:
    if stat.S_ISDIR(path.lstat().st_mode):
        from nstd.images.film.frame_folder import FrameFolder

        return FrameFolder(path, limits, choice.fps)
    file = open_regular(path, limits.bytes, "film_bytes")
    try:
        kind = film_kind_of(file)
        if kind in ("gif", "webp", "apng", "avif"):
            from nstd.images.film.animation import Animation

            return Animation(path.name, kind, file, limits)
        if kind is not None and kind != "frames":
            from nstd.images.film.container import Container

            return Container(path.name, kind, file, limits)
    except BaseException:
        file.close()
        raise
    file.close()
    raise broken(
        path.name, "no film of a kind that is read; a picture has one frame, and needs no #0"
    )


def _size(
    name: str, facts: FilmFacts, limits: FilmLimits, max_side: int | None, enlarge: bool
) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Width and height of the frames that are given, and notes."""
    given = facts.width, facts.height
    if max_side is None:
        return given, ()
    if enlarge:
        enlarging = Enlarging(name, max_side, limits.pixels, "film_pixels")
        return enlarging.size_for(given), enlarging.notes
    return (given if max(given) <= max_side else size_of_side(given, max_side)), ()
