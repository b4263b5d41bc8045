"""Reads a folder of numbered pictures, each of which is one frame."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

from PIL import Image

from nstd.errors import PictureError
from nstd.images.decode import decode
from nstd.images.film.failures import refused
from nstd.images.film.frame_names import FolderNames, names_in, parts_of
from nstd.images.film.model import FilmFacts, FilmLimits
from nstd.images.film.source import DecodedFrame
from nstd.images.model import Picture, Scale
from nstd.system.units import counted, format_size

RATE = Fraction(24)
"""Frames per second of a folder, unless another speed is asked for."""
_PROBE = (8, 8)


class FrameFolder:
    """The frames of a folder, `rate` of them in each second."""

    def __init__(self, folder: Path, limits: FilmLimits, rate: Fraction | None) -> None:
        self._folder, self._limits = folder, limits
        self._duration = 1 / (rate or RATE)
        found = names_in(folder)
        self._names = found.frames
        if not self._names:
            raise _no_frames(folder.name, found)
        _check_numbers(folder.name, self._names)
        self._check_bytes()
        first = self._size_of(self._names[0])
        self.notes = _notes(found, rate)
        self.facts = FilmFacts(
            kind="frames",
            width=first[0],
            height=first[1],
            codec=Path(self._names[0]).suffix[1:].lower(),
            frames=len(self._names),
            seconds=float(len(self._names) * self._duration),
            rate=1 / self._duration,
        )

    def decoded(self) -> Generator[DecodedFrame]:
        """All frames from the first one on."""
        for index, name in enumerate(self._names):
            size, has_alpha = self._probed(name)
            given = self.facts.width, self.facts.height
            if size != given:
                raise _other_size(self._folder / name, size, given)
            develop = partial(self._developed, name)
            yield DecodedFrame(index * self._duration, self._duration, size, develop, has_alpha)

    def close(self) -> None:
        """Nothing is open between two frames."""

    def _check_bytes(self) -> None:
        size = sum((self._folder / name).lstat().st_size for name in self._names)
        if size > self._limits.bytes:
            most = format_size(self._limits.bytes)
            why = f"{format_size(size)}, more than the limit of {most}"
            raise refused(self._folder.name, why, "film_bytes")

    def _size_of(self, name: str) -> tuple[int, int]:
        return self._probed(name)[0]

    def _probed(self, name: str) -> tuple[tuple[int, int], bool]:
        """Width and height, upright, and whether it is transparent somewhere; decodes all of it."""
        sizes = []

        def measured(image: Image.Image) -> Image.Image:
            sizes.append(image.size)
            return image.resize(_PROBE, Image.Resampling.BOX)

        picture = self._developed(name, measured)
        return sizes[0], picture.alpha is not None and bool(picture.alpha.min() < 1)

    def _developed(self, name: str, scale: Scale) -> Picture:
        path = self._folder / name
        try:
            return decode(path, self._limits.pixels, self._limits.bytes, scale)
        except PictureError as error:
            message = f"{self._folder.name}/{error.message}"
            hint = error.hint.replace("limits.picture_", "limits.film_")
            raise PictureError(error.code, message, hint) from error


def _no_frames(name: str, found: FolderNames) -> PictureError:
    """The error for a folder without frames."""
    if found.unnumbered:
        pictures = counted(found.unnumbered, "picture")
        why = f"a folder of {pictures} without a number in the name, so their order is not known"
    elif found.others:
        why = f"a folder without a picture: {counted(found.others, 'other file')}"
    else:
        why = "a folder without files"
    return PictureError(
        "picture_unreadable", f"{name}: {why}", "call its frames 0001.png, 0002.png and so on"
    )


def _check_numbers(name: str, names: list[str]) -> None:
    """Refuse a folder in which two frames have the same number."""
    for one, other in pairwise(names):
        if (number := parts_of(one)[1]) == parts_of(other)[1]:
            message = f"{name}: two of its frames have the number {number}: {one} and {other}"
            hint = "remove one of them, or give each film a folder of its own"
            raise PictureError("picture_refused", message, hint)


def _notes(found: FolderNames, rate: Fraction | None) -> tuple[str, ...]:
    notes, names = [], found.frames
    if found.unnumbered:
        said = counted(found.unnumbered, "picture is", "pictures are")
        notes.append(f"{said} left out, with no number in the name")
    numbers = [parts_of(name)[1] for name in names]
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    if missing:
        said = counted(missing, "number is", "numbers are")
        notes.append(f"{said} missing among its frames; the others follow closely")
    if len({parts_of(name)[0] for name in names}) > 1:
        notes.append("its frames have names of several kinds; they are in the order of the numbers")
    if rate is None:
        notes.append(f"a folder has no speed: shown at {RATE} frames a second")
    return tuple(notes)


def _other_size(path: Path, size: tuple[int, int], first: tuple[int, int]) -> PictureError:
    return PictureError(
        "picture_unreadable",
        f"{path.parent.name}/{path.name}: {size[0]} x {size[1]} pixels, and the first frame has "
        f"{first[0]} x {first[1]}",
        "make all frames equally large",
    )
