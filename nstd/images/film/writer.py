"""Writes a film in any format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nstd.images.film.kinds import FilmFormat
from nstd.images.film.model import FilmFacts, Frame, FrameChoice, WrittenFilm


def write_film(
    path: Path,
    format: FilmFormat,
    frames: Iterable[Frame],
    *,
    source: Path,
    facts: FilmFacts,
    choice: FrameChoice = FrameChoice(),  # noqa: B008 - it is frozen
    recipe: str,
) -> WrittenFilm:
    """Write a film to exactly `path`; the caller makes it durable and renames it.

    `path` must not exist; for the format `frames` it becomes a folder. `frames`, all of one size,
    with ascending times, are iterated once, one at a time; the first one is shown at the start.
    `source` is the film that they come from: its sound is copied, or encoded again where the
    format does not take it or `choice` has cut it; `facts` are those of `source`. `recipe` is a
    JSON text, which becomes part of the file.

    Raises PictureError for a size that the format cannot hold, or without the extra `film`;
    BackendError for pixels that are not a picture; OSError when the disk fails.
    """
    raise NotImplementedError


def read_film_recipe(path: Path) -> str | None:
    """The recipe inside a film that nstd made, in any format; None for any other film."""
    raise NotImplementedError
