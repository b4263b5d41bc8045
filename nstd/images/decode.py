"""Decoding: a picture file of any usual kind becomes float32 sRGB, or an error that says why not.

Pillow keeps its pixel limit in a module variable and reports oddities as Python warnings; both
are held for the length of one call, so pictures are decoded by one thread of a process at a time.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from nstd.errors import NstdError, PictureError
from nstd.images.color import split_alpha, to_srgb
from nstd.system.durable import CHUNK
from nstd.system.units import format_size

Array = NDArray[np.float32]
Scale = Callable[[Image.Image], Image.Image]
"""Brings a decoded picture to the size that is wanted."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")
"""What is opened at all; Pillow's other decoders never see a file."""

_SAVE_AGAIN = "open it in a picture editor, save it as PNG or JPEG, and submit it again"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MOST_SCANS = 500
"""Progressive JPEGs have about ten for each picture in the file."""
_DEEP_GREY = ("F", "I", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    `pixels` is (height, width, 3) float32, sRGB, in [0, 1]; `alpha`, where the file has
    transparency, is (height, width) float32 in [0, 1], not multiplied into the pixels. `notes`
    says what was odd about the file and did not stop it from being used.
    """

    pixels: Array
    alpha: Array | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width, _ = self.pixels.shape
        return width, height


def load_image(
    path: Path,
    *,
    max_pixels: int,
    max_bytes: int,
    max_side: int | None = None,
    size: tuple[int, int] | None = None,
) -> Picture:
    """Decode the whole of `path`, upright, in sRGB.

    With `max_side`, its longest side has at most so many pixels, and smaller pictures are never
    enlarged; with `size`, width and height, it is stretched to exactly that. Files over
    `max_bytes` and pictures over `max_pixels` are refused from the header, before anything is
    decoded.

    Raises PictureError: `picture_missing`; `picture_refused` for what is too large, animated or
    no regular file; `picture_unreadable` for what is broken, truncated or of an unknown format;
    `io_error` where the disk failed.
    """
    scale = partial(_at_most, side=max_side) if size is None else partial(_exactly, size=size)
    return decode(path, max_pixels, max_bytes, scale)


def decode(path: Path, max_pixels: int, max_bytes: int, scale: Scale) -> Picture:
    """Decode `path` as `load_image` does, brought to size by `scale`."""
    with (
        _explained(path, max_pixels),
        _open_regular(path, max_bytes) as file,
        _pixel_cap(max_pixels),
        Image.open(file, formats=FORMATS) as image,
    ):
        _check_header(path, image, max_pixels)
        _check_scans(path, image, file)
        image.load()
        return _as_picture(_upright(image), image.info.get("icc_profile"), scale)


def _open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """Open a regular file; links, FIFOs and devices are refused without being opened."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise PictureError(
            "picture_refused", f"{path.name}: not a regular file", "put a copy of the picture there"
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
        "make it smaller, or raise limits.picture_bytes in the config",
    )


@contextmanager
def _pixel_cap(max_pixels: int) -> Iterator[None]:
    """Hold Pillow to `max_pixels` (it raises beyond twice its limit) and silence its warnings."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = (max_pixels + 1) // 2
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _check_header(path: Path, image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _too_large(path, max_pixels)
    # the second picture of a phone's MPO file is a depth or gain map: the first is the photograph
    if image.format != "MPO" and getattr(image, "is_animated", False):
        what = "has several pages" if image.format == "TIFF" else "is animated"
        raise PictureError(
            "picture_refused",
            f"{path.name}: {what}, and one still picture is needed",
            "save the frame that you want as a PNG or JPEG of its own",
        )


def _check_scans(path: Path, image: Image.Image, file: BinaryIO) -> None:
    """Refuse a JPEG of far more scans than there is data for: each costs a pass over all pixels.

    A marker cannot occur in the data of a scan; one in a thumbnail does not matter.
    """
    if image.format not in ("JPEG", "MPO"):
        return
    position, scans = file.tell(), 0
    file.seek(0)
    while scans <= _MOST_SCANS and (chunk := file.read(CHUNK)):
        scans += chunk.count(b"\xff\xda")  # one that is cut in two goes uncounted
    file.seek(position)
    if scans > _MOST_SCANS:
        message = f"{path.name}: more than {_MOST_SCANS} scans, which would take too long to decode"
        raise PictureError("picture_refused", message, _SAVE_AGAIN)


def _upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says; Pillow has turned a TIFF already."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF raises nearly anything, and the pixels are sound
        turn = None
    return image if turn is None else image.transpose(turn)


def _as_picture(image: Image.Image, profile: bytes | None, scale: Scale) -> Picture:
    if image.mode in _DEEP_GREY:
        grey = scale(Image.fromarray(_unit_range(image)))
        level = np.clip(np.asarray(grey, dtype=np.float32), 0, 1)
        return Picture(np.repeat(level[:, :, None], 3, axis=2))
    color, alpha = split_alpha(image)
    rgb, notes = to_srgb(color, profile)
    if alpha is None:
        return Picture(_floats(scale(rgb)), notes=notes)
    rgb.putalpha(alpha)
    # Pillow resizes RGBA with its colours multiplied by alpha: no fringes of hidden colours
    rgba = _floats(scale(rgb))
    return Picture(np.ascontiguousarray(rgba[:, :, :3]), rgba[:, :, 3].copy(), notes)


def _unit_range(image: Image.Image) -> Array:
    """16-bit, 32-bit and float grey in [0, 1].

    Pillow does not keep how many bits the file had, so white is the smallest usual full scale
    that holds the brightest value.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=1.0)
    scales = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0, 2.0**31 - 1)
    white = next((scale for scale in scales if values.max() <= scale), values.max())
    return np.clip(values / white, 0, 1).astype(np.float32)


def _at_most(image: Image.Image, side: int | None) -> Image.Image:
    longest = max(image.size)
    if side is None or longest <= side:
        return image
    width, height = (max(1, round(each * side / longest)) for each in image.size)
    return _exactly(image, (width, height))


def _exactly(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _floats(image: Image.Image) -> Array:
    pixels = np.array(image, dtype=np.float32)
    pixels /= 255
    return pixels


def _too_large(path: Path, max_pixels: int) -> PictureError:
    return PictureError(
        "picture_refused",
        f"{path.name}: more than the limit of {max_pixels:,} pixels",
        "make it smaller, or raise limits.picture_pixels in the config",
    )


@contextmanager
def _explained(path: Path, max_pixels: int) -> Iterator[None]:
    """Turn whatever opening and decoding raise into a PictureError about `path`."""
    name = path.name
    try:
        yield
    except NstdError:
        raise
    except FileNotFoundError as error:
        raise PictureError("picture_missing", f"{name}: no such file", "copy it there") from error
    except PermissionError as error:
        raise PictureError(
            "picture_unreadable", f"{name}: permission denied", "let the daemon's user read it"
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large(path, max_pixels) from error
    except MemoryError as error:
        raise PictureError(
            "picture_refused", f"{name}: needs more memory than there is", "make it smaller"
        ) from error
    except UnidentifiedImageError as error:
        message = f"{name}: not a picture in {', '.join(FORMATS)}, or cut short"
        raise PictureError("picture_unreadable", message, _SAVE_AGAIN) from error
    except Exception as error:  # decoders raise nearly every type on broken files
        if isinstance(error, OSError) and error.errno is not None:
            message = f"{name}: {error.strerror or error}"
            raise PictureError("io_error", message, "check the disk or network mount") from error
        message = f"{name}: broken or truncated ({error})"
        raise PictureError("picture_unreadable", message, _SAVE_AGAIN) from error
