"""Reads animated pictures by Pillow: GIF, WebP, APNG and AVIF."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from itertools import count
from typing import BinaryIO

from PIL import Image

from nstd.images.avif import space_of_avif
from nstd.images.decode import pixel_cap
from nstd.images.develop import develop
from nstd.images.film.choosing import check_pixels
from nstd.images.film.failures import broken, cut_short
from nstd.images.film.kinds import FilmKind
from nstd.images.film.model import FilmFacts, FilmLimits
from nstd.images.film.source import DecodedFrame, opened_again
from nstd.images.film.whole import is_whole
from nstd.images.model import Picture, Scale, Stored
from nstd.images.pillow import orientation_of, profile_of
from nstd.images.png import colors_of_png
from nstd.images.profiles import profile_of_gif
from nstd.images.space import Space

_FORMATS = {"gif": "GIF", "webp": "WEBP", "apng": "PNG", "avif": "AVIF"}
_SHORTEST = Fraction(1, 100)
_SHOWN_FOR = Fraction(1, 10)
"""Browsers show a frame for this time, in seconds, that says at most `_SHORTEST`."""
_OPENED = 100
"""Opening decodes nothing yet: so many times the limit are opened, to say how large the film is."""
_SHORT_NOTE = "frames of at most 0.01 s are shown for 0.1 s, as browsers do"
_LARGEST_PART = 65_535
"""APNG has durations as fractions of two such numbers; Pillow gives them as a float."""


class Animation:
    """The frames of an animated picture, whole, however the file builds them up."""

    def __init__(self, name: str, kind: FilmKind, file: BinaryIO, limits: FilmLimits) -> None:
        self._name, self._kind, self._file = name, kind, file
        self._most_pixels, self._short = limits.pixels, False
        if not is_whole(file, kind):
            raise cut_short(name)
        if kind == "webp":  # Pillow takes memory for the whole size when it opens the file
            check_pixels(name, _size_of_webp(file), limits)
        with self._open() as image:
            check_pixels(name, image.size, limits)
            self._orientation = 1 if kind == "gif" else orientation_of(image)
            self._profile, self._space = _colors(kind, file, image)
            self._first = int(bool(image.info.get("default_image")))
            width, height = self._upright(image.size)
            self.facts = FilmFacts(
                kind=kind,
                width=width,
                height=height,
                codec=kind,
                # counting those of a GIF takes as long as going through them
                frames=None if kind == "gif" else getattr(image, "n_frames", 1) - self._first,
                loops=_loops(kind, image),
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the film, as far as it has been decoded."""
        return (_SHORT_NOTE,) if self._short else ()

    def decoded(self) -> Generator[DecodedFrame]:
        """All frames from the first one on, with ascending times."""
        time = Fraction(0)
        with self._open() as image:
            for index in count(self._first):
                if not self._goes_to(image, index):
                    break
                duration = self._duration(image)
                size, has_alpha = self._upright(image.size), _is_transparent(image)
                yield DecodedFrame(time, duration, size, partial(self._developed, image), has_alpha)
                time += duration
        if self.facts.frames not in (None, index - self._first):
            raise broken(self._name, f"{index - self._first} of its {self.facts.frames} frames")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def _open(self) -> Iterator[Image.Image]:
        with opened_again(self._file) as own:
            with pixel_cap(_OPENED * self._most_pixels):
                image = Image.open(own, formats=[_FORMATS[self._kind]])
            with image:
                yield image

    def _goes_to(self, image: Image.Image, index: int) -> bool:
        """Decode the frame at `index`; False if there is none."""
        with pixel_cap(self._most_pixels):
            try:
                image.seek(index)
            except EOFError:
                return False
            image.load()
        return True

    def _duration(self, image: Image.Image) -> Fraction:
        milliseconds = Fraction(image.info.get("duration") or 0)
        if self._kind == "apng":
            seconds = (milliseconds / 1000).limit_denominator(_LARGEST_PART)
        else:
            seconds = milliseconds / 1000
        if seconds > _SHORTEST:
            return seconds
        self._short = True
        return _SHOWN_FOR

    def _upright(self, size: tuple[int, int]) -> tuple[int, int]:
        return size[::-1] if self._orientation >= 5 else size

    def _developed(self, image: Image.Image, scale: Scale) -> Picture:
        stored = Stored(
            image.copy(),
            profile=self._profile,
            space=self._space,
            orientation=self._orientation,
        )
        return develop(stored, scale)


def _is_transparent(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return False
    lowest, _ = image.convert("RGBA").getchannel("A").getextrema()
    return bool(lowest != 255)


def _colors(
    kind: FilmKind, file: BinaryIO, image: Image.Image
) -> tuple[bytes | None, Space | None]:
    """The colour profile, or else the space, of all frames; see `Stored`."""
    file.seek(0)
    if kind == "gif":
        return profile_of_gif(file), None
    if kind == "apng":
        return colors_of_png(file)
    profile = profile_of(image)
    return profile, space_of_avif(file) if kind == "avif" and profile is None else None


def _loops(kind: FilmKind, image: Image.Image) -> int:
    """How often it is played; 0 for ever. A GIF says how often it is played again."""
    said = image.info.get("loop")
    if kind == "gif":
        return 1 if said is None else int(said) and int(said) + 1
    return int(said or 0)


def _size_of_webp(file: BinaryIO) -> tuple[int, int]:
    """Width and height by the chunk VP8X (RFC 9649, 2.7)."""
    file.seek(24)
    size = file.read(6)
    return int.from_bytes(size[:3], "little") + 1, int.from_bytes(size[3:], "little") + 1
