"""The pictures of a job: decoded for its backend, and with their names from the sidecar."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from nstd.backend import Style
from nstd.errors import PictureError
from nstd.executors.contract import Assignment
from nstd.images.alpha import over_white
from nstd.images.decode import load_image
from nstd.images.film.kinds import film_kind
from nstd.images.film.model import FilmLimits
from nstd.images.mask import load_mask
from nstd.images.model import Picture
from nstd.queue.job import Input, Job
from nstd.system.units import format_duration

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels

SERIES_SIDE = 512
"""Longest side of a picture of a series, in pixels: up to a hundred are in memory at once."""
_FLAT = 2 / 255
"""Colours that differ less are treated as equal."""


class Decoded(NamedTuple):
    """The pictures of a job for a `Task`, and the alpha of the content.

    `notes` say what is unusual about some of them, each with the picture's name.
    """

    content: Picture
    styles: tuple[Style, ...]
    init: Pixels | None
    series: tuple[Pixels, ...]
    notes: tuple[str, ...] = ()


class Decoder:
    """Decodes the pictures of an assignment completely, so that a broken one fails the job here."""

    def __init__(self, assignment: Assignment) -> None:
        self._job, self._folder = assignment.job, assignment.folder
        self._limits: dict[str, Any] = {
            "max_pixels": assignment.max_pixels,
            "max_bytes": assignment.max_bytes,
        }
        self._bounds = assignment.film
        self._notes: dict[str, None] = {}  # in order, each once

    def decode(self) -> Decoded:
        """Decode all pictures. Raises PictureError with the picture's name in the sidecar."""
        job, content = self._job, self.content()
        init = [self._seen(given, size=content.size) for given in job.given("init")]
        side = min(job.size or SERIES_SIDE, SERIES_SIDE)
        return Decoded(
            content=content,
            styles=self.styles(content.size),
            init=init[0] if init else None,
            series=tuple(self._seen(given, max_side=side) for given in job.given("series")),
            notes=self.notes,
        )

    def content(self) -> Picture:
        """The content, of the size of the job. Raises PictureError."""
        given, size = self._job.given("content")[0], self._job.size
        return self._picture(given, max_side=size, enlarge=self._job.enlarge)

    def styles(self, content: tuple[int, int]) -> tuple[Style, ...]:
        """All styles; `content` is the size of the content in pixels. Raises PictureError."""
        given = enumerate(self._job.given("style"))
        return tuple(self._style(number, style, content) for number, style in given)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the pictures that were decoded."""
        return tuple(self._notes)

    def _style(self, number: int, given: Input, content: tuple[int, int]) -> Style:
        """A style, as large as its scale needs; `content` is the size of the content in pixels."""
        side = self._job.size and math.ceil(self._job.size * max(1.0, given.scale))
        pixels = self._seen(given, max_side=side)
        if np.ptp(pixels, axis=(0, 1)).max() < _FLAT:
            self._note(given, "this style has one colour alone, and no manner to paint in")
        height, width, _ = pixels.shape
        region = self._mask("region", number, content)
        mask = self._mask("mask", number, (width, height))
        return Style(pixels, given.weight, given.scale, region, mask)

    def _mask(
        self, role: Literal["region", "mask"], style: int, size: tuple[int, int]
    ) -> Mask | None:
        for given in self._job.given(role, style):
            with self.with_sidecar_name(given):
                on_note = partial(self._note, given)
                return load_mask(
                    self._folder / given.file, size=size, on_note=on_note, **self._limits
                )
        return None

    def _seen(self, given: Input, **how: Any) -> Pixels:
        return flatten(self._picture(given, **how))

    def _picture(self, given: Input, **how: Any) -> Picture:
        with self.with_sidecar_name(given):
            picture = self._load(given, **how)
        for note in picture.notes:
            self._note(given, note)
        return picture

    def _is_misplaced_film(self, given: Input) -> bool:
        is_content = given.role == "content" or given.frame is not None
        return not is_content and film_kind(self._folder / given.file) is not None

    def _load(self, given: Input, **how: Any) -> Picture:
        path = self._folder / given.file
        if given.frame is None or self._bounds is None:
            return load_image(path, **self._limits, **how)
        if given.role not in ("content", "style", "series"):
            raise _no_picture(given)
        from nstd.images.film.one_frame import load_frame

        return load_frame(path, given.frame, FilmLimits(**self._bounds.model_dump()), **how)

    def _note(self, given: Input, note: str) -> None:
        self._notes[f"{given.source}: {note}"] = None

    @contextmanager
    def with_sidecar_name(self, given: Input) -> Iterator[None]:
        """Use the name of a picture in the sidecar in errors, not its name in the job's folder."""
        try:
            yield
        except PictureError as error:
            if self._is_misplaced_film(given):
                raise _no_picture(given) from None
            message = error.message.replace(given.file, given.source.removesuffix("/"))
            raise PictureError(error.code, message, error.hint) from None


def _no_picture(given: Input) -> PictureError:
    """The error for a film in the place of a picture."""
    words = {"style": f"name one of its frames, like {given.source}#0"}
    hint = words.get(given.role, "save one of its frames as a picture, and name that")
    message = f"{given.source} is a film, and a {given.role} is one picture"
    return PictureError("picture_refused", message, hint)


def flatten(picture: Picture) -> Pixels:
    """The pixels over white: transparent pixels are often black, and must not count as black."""
    return picture.pixels if picture.alpha is None else over_white(picture.pixels, picture.alpha)


def describe_pictures(job: Job) -> dict[str, Any]:
    """The keys of a sidecar about the pictures of `job`."""
    styles = [
        {"image": style.source, "weight": style.weight, "scale": style.scale}
        | {
            key: format_duration(time)
            for key, time in (("from", style.begin), ("to", style.end))
            if time is not None
        }
        | {mask.role: mask.source for mask in job.masks(number)}
        for number, style in enumerate(job.given("style"))
    ]
    named: dict[str, Any] = {"content": job.given("content")[0].source, "style": styles}
    for given in job.given("init"):
        named["init"] = given.source
    if series := job.given("series"):
        named["series"] = [given.source for given in series]
    return named
