"""Opens a film of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from nstd.images.film.model import FilmFacts, FilmLimits, Frame, FrameChoice, Moment

Tick = Callable[[], None]
"""Called after each frame that is looked at, so that a caller can say that it lives, or cancel."""


class Film(Protocol):
    """An open film, to be used in a `with` statement.

    `size` is width and height of the frames that it gives; `moments` are those of the chosen
    frames, all of which were decoded once when the film was opened. `notes` say what is unusual
    about the film, without preventing its use.
    """

    facts: FilmFacts
    size: tuple[int, int]
    moments: tuple[Moment, ...]
    notes: tuple[str, ...]

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The chosen frames, from the one at index `start` of `moments` on.

        The same film gives the same pixels, however often and from wherever it is read. Holds one
        frame in memory. Raises PictureError if the file has changed or its disk fails.
        """
        ...

    def close(self) -> None:
        """Close the film's file."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


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
    raise NotImplementedError
