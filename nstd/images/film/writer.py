"""Writes a film in any format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nstd.errors import BackendError, PictureError
from nstd.images.encode import encode_image, read_recipe
from nstd.images.film.apng import write_apng
from nstd.images.film.failures import require_extra
from nstd.images.film.frame_names import names_in
from nstd.images.film.gif import read_gif_recipe, write_gif
from nstd.images.film.kinds import FilmFormat, film_kind
from nstd.images.film.model import FilmFacts, Frame, FrameChoice, WrittenFilm
from nstd.images.film.order import NAMES, Order
from nstd.images.film.pacing import Pacer, Timed
from nstd.images.film.webp import write_webp

_MOST_SIDE: dict[FilmFormat, int] = {
    "mp4": 16_384,
    "webm": 16_384,
    "gif": 65_535,
    "webp": 16_383,
}
_Writer = Callable[[Order, Iterator[Timed]], tuple[str, ...]]
"""Writes the frames, and returns notes."""


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
    require_extra(source.name)
    checked = _checked(frames, format)
    first = next(checked, None)
    if first is None:
        raise BackendError("backend_failed", "a film without frames", "report it to its makers")
    pacer = _pacer(format, facts)
    order = Order(path, format, pacer.unit, source, facts, choice, recipe)
    notes = _WRITERS[format](order, pacer.timed(chain([first], checked)))
    height, width, _ = first.pixels.shape
    if format in ("mp4", "webm"):
        height, width = height + height % 2, width + width % 2
    notes = (*pacer.notes(NAMES[format]), *_lost(format, facts, first), *notes)
    return WrittenFilm(pacer.written, pacer.seconds, width, height, notes)


def read_film_recipe(path: Path) -> str | None:
    """The recipe inside a film that nstd made, in any format; None for any other film.

    Raises OSError, or an error of the library, for a file that cannot be read as a film.
    """
    match film_kind(path):
        case "frames":
            return read_recipe(path / names_in(path).frames[0])
        case "gif":
            with path.open("rb") as file:
                return read_gif_recipe(file)
        case "mp4" | "mov" | "mkv" | "webm" | "avi":
            from nstd.images.film.video import read_video_recipe

            return read_video_recipe(path)
    return read_recipe(path)


def _pacer(format: FilmFormat, facts: FilmFacts) -> Pacer:
    """The times that a format can hold, and that players obey: too short ones they lengthen."""
    match format:
        case "gif":
            return Pacer(Fraction(1, 100), 2)
        case "webp":
            return Pacer(Fraction(1, 1000), 11)
        case "webm":
            return Pacer(Fraction(1, 1000))
        case "apng":
            return Pacer(facts.time_unit, int(Fraction(1, 100) / facts.time_unit) + 1)
    return Pacer(facts.time_unit)


def _checked(frames: Iterable[Frame], format: FilmFormat) -> Iterator[Frame]:
    """The frames, if they are pictures of one size that the format can hold."""
    shape: tuple[int, ...] = ()
    for frame in frames:
        pixels = frame.pixels
        shape = shape or pixels.shape
        if pixels.shape != shape or len(shape) != 3 or shape[2] != 3 or not pixels.size:
            raise _no_picture(f"shape {pixels.shape}, where the first frame has {shape}")
        if not np.isfinite(pixels).all():
            raise _no_picture("values that are not finite")
        most = _MOST_SIDE.get(format, max(shape))
        if max(shape) > most:
            raise PictureError(
                "picture_refused",
                f"{NAMES[format]} holds at most {most:,} pixels a side, not {max(shape):,}",
                "choose output.format apng or frames, or a smaller output.size",
            )
        yield frame


def _no_picture(why: str) -> BackendError:
    return BackendError(
        "backend_failed",
        f"a frame of the result is no picture: {why}",
        "report it to the makers of the backend",
    )


def _lost(format: FilmFormat, facts: FilmFacts, first: Frame) -> tuple[str, ...]:
    """What the format cannot hold."""
    notes, name = [], NAMES[format]
    if facts.has_sound and format not in ("mp4", "webm"):
        notes.append(f"{name} has no sound: that of the film is left out")
    if format == "mp4" and first.alpha is not None:
        notes.append(f"{name} has no transparency: the film is shown over white")
    if format == "frames" and facts.kind != "frames":
        rate = f"{float(facts.rate):.6g} a second" if facts.rate else "uneven times"
        notes.append(f"{name} has no speed: the film's frames are shown at {rate}")
    sides = [side for side in first.pixels.shape[:2] if side % 2]
    if sides and format in ("mp4", "webm"):
        notes.append("its odd sides got one more row or column of pixels, like the last")
    return tuple(notes)


def _write_video(order: Order, frames: Iterator[Timed]) -> tuple[str, ...]:
    from nstd.images.film.video import write_video

    return write_video(order, frames)


def _write_picture(
    write: Callable[[BinaryIO, Order, Iterator[Timed]], None],
    order: Order,
    frames: Iterator[Timed],
) -> tuple[str, ...]:
    with order.path.open("xb") as file:
        write(file, order, frames)
    return ()


def _write_frames(order: Order, frames: Iterator[Timed]) -> tuple[str, ...]:
    order.path.mkdir()
    for number, timed in enumerate(frames, 1):
        frame = timed.frame
        data = encode_image(frame.pixels, alpha=frame.alpha, format="png", recipe=order.recipe)
        (order.path / f"{number:06}.png").write_bytes(data)
    return ()


_WRITERS: dict[FilmFormat, _Writer] = {
    "mp4": _write_video,
    "webm": _write_video,
    "gif": partial(_write_picture, write_gif),
    "webp": partial(_write_picture, write_webp),
    "apng": partial(_write_picture, write_apng),
    "frames": _write_frames,
}
