"""One frame of a film as a picture, like `starry.gif#0`."""

from __future__ import annotations

from pathlib import Path

from nstd.documents.film import FilmBounds
from nstd.images.film.model import FilmLimits, FrameChoice
from nstd.images.film.reader import open_film
from nstd.images.model import Picture


def load_frame(
    path: Path,
    number: int,
    bounds: FilmBounds,
    *,
    max_side: int | None = None,
    enlarge: bool = False,
) -> Picture:
    """A frame of a film as a picture; `number` is from 0. Raises the errors of `open_film`."""
    choice = FrameChoice(first=number + 1, last=number + 1)
    limits = FilmLimits(**bounds.model_dump())
    with open_film(path, limits=limits, choice=choice, max_side=max_side, enlarge=enlarge) as film:
        frame = next(film.frames())
        return Picture(frame.pixels, frame.alpha, film.notes)
