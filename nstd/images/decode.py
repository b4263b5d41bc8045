"""Decoding: a picture file of any usual kind becomes float32 sRGB, or an error that explains why
not.

Pillow has its pixel limit in a module variable and reports unusual files by Python warnings; both
are changed during a call, so only one thread of a process decodes pictures at a time.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from nstd.errors import PictureError
from nstd.images.avif import space_of_avif
from nstd.images.bmp import read_bmp
from nstd.images.develop import develop
from nstd.images.enlarge import Enlarging, size_of_side
from nstd.images.explain import explained, several, too_large
from nstd.images.foreign import HEAD, foreign_kind
from nstd.images.jpeg import read_jpeg
from nstd.images.kinds import FORMATS, kind_of
from nstd.images.model import Array, Picture, Scale, Stored, UnreadKindError
from nstd.images.netpbm import read_netpbm
from nstd.images.pillow import Opener, orientation_of, profile_of
from nstd.images.png import read_png
from nstd.images.profiles import profile_of_gif
from nstd.images.tiff import read_tiff
from nstd.system.units import format_size

__all__ = ["FORMATS", "Array", "Picture", "decode", "load_image"]


def load_image(
    path: Path,
    *,
    max_pixels: int,
    max_bytes: int,
    max_side: int | None = None,
    size: tuple[int, int] | None = None,
    enlarge: bool = False,
) -> Picture:
    """Decode the whole of `path`, upright, in sRGB.

    With `max_side`, its longest side has at most that many pixels; a smaller picture is not
    enlarged. With `enlarge` too, the longest side has exactly that many pixels, and a note says so
    if the picture was enlarged. With `size`, it has exactly that width and height. Files of more
    than `max_bytes` and pictures of more than `max_pixels` are refused before they are decoded.

    Raises PictureError: `picture_missing`; `picture_refused` for a picture that is too large,
    animated, not a regular file, or too small to be enlarged to that size; `picture_unreadable`
    for one that is broken, truncated or of an unknown format; `io_error` when the disk fails.
    """
    if enlarge and max_side is not None:
        enlarging = Enlarging(path.name, max_side, max_pixels)
        picture = decode(path, max_pixels, max_bytes, enlarging)
        return replace(picture, notes=picture.notes + enlarging.notes)
    scale = partial(_at_most, side=max_side) if size is None else partial(exactly, size=size)
    return decode(path, max_pixels, max_bytes, scale)


def decode(path: Path, max_pixels: int, max_bytes: int, scale: Scale) -> Picture:
    """Decode `path` as `load_image` does, resized by `scale`."""
    with (
        explained(path, max_pixels),
        open_regular(path, max_bytes) as file,
        pixel_cap(max_pixels),
    ):
        kind = _kind(file)
        try:
            stored = _READERS.get(kind, _read_plain)(file, _PillowOpener(path, max_pixels, kind))
        except UnidentifiedImageError as error:
            raise ValueError(f"it begins like a picture in {kind}") from error
        return develop(stored, scale)


def _kind(file: BinaryIO) -> str:
    """The format of a file, one of `FORMATS`, by its first bytes."""
    head = file.read(HEAD)
    file.seek(0)
    if (kind := kind_of(head)) is not None:
        return kind
    if (foreign := foreign_kind(head)) is not None:
        raise UnreadKindError(foreign)
    raise UnidentifiedImageError


def _read_plain(file: BinaryIO, open_image: Opener) -> Stored:
    """Read a format that Pillow reads correctly."""
    with open_image(file) as image:
        image.load()
        profile = profile_of(image)
        return Stored(image, profile=profile, orientation=orientation_of(image))


def _read_gif(file: BinaryIO, open_image: Opener) -> Stored:
    profile = profile_of_gif(file)
    file.seek(0)
    return replace(_read_plain(file, open_image), profile=profile)


def _read_avif(file: BinaryIO, open_image: Opener) -> Stored:
    space = space_of_avif(file)
    file.seek(0)
    stored = _read_plain(file, open_image)
    return stored if stored.profile is not None else replace(stored, space=space)


_READERS: dict[str, Callable[[BinaryIO, Opener], Stored]] = {
    "PNG": read_png,
    "JPEG": read_jpeg,
    "TIFF": read_tiff,
    "BMP": read_bmp,
    "GIF": _read_gif,
    "PPM": read_netpbm,
    "AVIF": _read_avif,
}


class _PillowOpener:
    """Opens the file at `path`, which has the format `kind`, with Pillow."""

    def __init__(self, path: Path, max_pixels: int, kind: str) -> None:
        self._path, self._max_pixels, self._kind = path, max_pixels, kind

    def __call__(self, file: BinaryIO) -> Image.Image:
        """Open the file. Raises PictureError when its header exceeds the limits."""
        image = Image.open(file, formats=[self._kind])
        try:
            self.check_size(*image.size)
            self._check_frames(image)
        except BaseException:
            image.close()
            raise
        return image

    def check_size(self, width: int, height: int) -> None:
        """Raise PictureError for more pixels than the limit, and ValueError for none."""
        if min(width, height) < 1:
            raise ValueError(f"{width} x {height} pixels")
        if width * height > self._max_pixels:
            raise too_large(self._path, self._max_pixels)

    def _check_frames(self, image: Image.Image) -> None:
        # the second picture of a phone's MPO file is a depth or gain map: the first is the
        # photograph; which page of a TIFF is the picture, its reader finds
        if image.format not in ("MPO", "TIFF") and getattr(image, "is_animated", False):
            raise several(self._path, "is animated")


def open_regular(path: Path, max_bytes: int, limit: str = "picture_bytes") -> BinaryIO:
    """Open a regular file; links, FIFOs and devices are refused without being opened.

    `limit` is the config's name for `max_bytes`. Raises PictureError and OSError.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise PictureError(
            "picture_refused", f"{path.name}: not a regular file", "put a copy of the file there"
        )
    # a FIFO or link put there since the check neither blocks nor is followed
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    size = os.fstat(file.fileno()).st_size
    if 0 < size <= max_bytes:
        return file
    file.close()
    if not size:
        raise PictureError("picture_unreadable", f"{path.name}: the file is empty", "copy it again")
    raise PictureError(
        "picture_refused",
        f"{path.name}: {format_size(size)}, more than the limit of {format_size(max_bytes)}",
        f"make it smaller, or raise limits.{limit} in the config",
    )


@contextmanager
def pixel_cap(max_pixels: int) -> Iterator[None]:
    """Set Pillow's limit to `max_pixels` (it raises beyond twice its limit); hide its warnings."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = (max_pixels + 1) // 2
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _at_most(image: Image.Image, side: int | None) -> Image.Image:
    if side is None or max(image.size) <= side:
        return image
    return exactly(image, size_of_side(image.size, side))


def exactly(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`image` with this width and height."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
