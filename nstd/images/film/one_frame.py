"""One frame of a film as a picture, like `starry.gif#0`."""

from __future__ import annotations

from pathlib import Path

from nstd.errors import PictureError
from nstd.images.film.choosing import NoneChosenError
from nstd.images.film.model import FilmLimits, FrameChoice
from nstd.images.film.reader import Film, open_film
from nstd.images.model import Picture
from nstd.system.units import counted


def open_at(
    path: Path,
    number: int,
    *,
    limits: FilmLimits,
    max_side: int | None = None,
    enlarge: bool = False,
) -> Film:
    """The film whose only frame is the one with this number, from 0.

    Raises the errors of `open_film`, and PictureError `picture_refused` if there is no such frame.
    """
    choice = FrameChoice(first=number + 1, last=number + 1)
    try:
        return open_film(path, limits=limits, choice=choice, max_side=max_side, enlarge=enlarge)
    except NoneChosenError as error:
        last = error.frames - 1
        message = f"{path.name}: it has {counted(error.frames, 'frame')}, and no #{number}"
        hint = f"name one from #0 to #{last}" if last else "name #0"
        raise PictureError("picture_refused", message, hint) from None


def load_frame(
    path: Path,
    number: int,
    limits: FilmLimits,
    *,
    max_side: int | None = None,
    enlarge: bool = False,
) -> Picture:
    """A frame of a film as a picture. Raises the errors of `open_at`."""
    with open_at(path, number, limits=limits, max_side=max_side, enlarge=enlarge) as film:
        frame = next(film.frames())
        return Picture(frame.pixels, frame.alpha, film.notes)
