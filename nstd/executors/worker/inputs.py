"""The pictures of a job: decoded for its backend, and named as its sidecar names them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from nstd.backend import Style
from nstd.errors import PictureError
from nstd.executors.contract import Assignment
from nstd.images import Picture, load_image, load_mask, over_white
from nstd.queue.job import Input, Job

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels

SERIES_SIDE = 512
"""Longest side of a picture of a series, in pixels: up to a hundred lie in memory at once."""
Loaded = TypeVar("Loaded")


class Decoded(NamedTuple):
    """The pictures of a job as a `Task` holds them; of the content, the alpha as well."""

    content: Picture
    styles: tuple[Style, ...]
    init: Pixels | None
    series: tuple[Pixels, ...]


class Decoder:
    """Decodes the pictures of an assignment, each wholly: a broken one fails the job here."""

    def __init__(self, assignment: Assignment) -> None:
        self._job, self._folder = assignment.job, assignment.folder
        self._limits = {"max_pixels": assignment.max_pixels, "max_bytes": assignment.max_bytes}

    def decode(self) -> Decoded:
        """All of them. Raises PictureError, with the name that the sidecar says."""
        job = self._job
        content = self._read(job.given("content")[0], load_image, max_side=job.size)
        init = [self._seen(given, size=content.size) for given in job.given("init")]
        side = min(job.size or SERIES_SIDE, SERIES_SIDE)
        return Decoded(
            content=content,
            styles=tuple(
                self._style(number, given, content.size)
                for number, given in enumerate(job.given("style"))
            ),
            init=init[0] if init else None,
            series=tuple(self._seen(given, max_side=side) for given in job.given("series")),
        )

    def _style(self, number: int, given: Input, content: tuple[int, int]) -> Style:
        """A style as large as its scale needs; `content` is the size of that one."""
        side = self._job.size and math.ceil(self._job.size * max(1.0, given.scale))
        pixels = self._seen(given, max_side=side)
        height, width, _ = pixels.shape
        region = self._mask("region", number, content)
        mask = self._mask("mask", number, (width, height))
        return Style(pixels, given.weight, given.scale, region, mask)

    def _mask(
        self, role: Literal["region", "mask"], style: int, size: tuple[int, int]
    ) -> Mask | None:
        masks = [self._read(given, load_mask, size=size) for given in self._job.given(role, style)]
        return masks[0] if masks else None

    def _seen(self, given: Input, **how: Any) -> Pixels:
        return seen(self._read(given, load_image, **how))

    def _read(self, given: Input, load: Callable[..., Loaded], **how: Any) -> Loaded:
        try:
            return load(self._folder / given.file, **self._limits, **how)
        except PictureError as error:  # in the words of the sidecar, not of the job's folder
            message = error.message.replace(given.file, given.source)
            raise PictureError(error.code, message, error.hint) from None


def seen(picture: Picture) -> Pixels:
    """The pixels as a person sees them: what alpha hides is often black, and must not count."""
    return picture.pixels if picture.alpha is None else over_white(picture.pixels, picture.alpha)


def wishes(job: Job) -> dict[str, Any]:
    """What a sidecar says of the pictures of `job`."""
    styles = [
        {"image": style.source, "weight": style.weight, "scale": style.scale}
        | {mask.role: mask.source for mask in job.masks(number)}
        for number, style in enumerate(job.given("style"))
    ]
    named: dict[str, Any] = {"content": job.given("content")[0].source, "style": styles}
    for given in job.given("init"):
        named["init"] = given.source
    if series := job.given("series"):
        named["series"] = [given.source for given in series]
    return named
