"""JPEG: what is looked at before it is decoded, and the colours that cameras tell in EXIF."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import BinaryIO

from PIL import ExifTags, Image

from nstd.images.model import Stored, TooMuchWorkError, UnreadKindError
from nstd.images.pillow import Opener, orientation_of, profile_of
from nstd.images.space import Space, adobe_rgb
from nstd.system.durable import CHUNK

_MOST_SCANS = 500
"""Progressive JPEGs have about ten for each picture in the file."""
_SEGMENTS = 10_000
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)


def read_jpeg(file: BinaryIO, open_image: Opener) -> Stored:
    """The picture in `file`: of several, as phones write them, the first."""
    _check_kind(file)
    _check_scans(file)
    file.seek(0)
    with open_image(file) as image:
        image.load()
        profile = profile_of(image)
        space = _space(image) if profile is None else None
        return Stored(image, profile=profile, space=space, orientation=orientation_of(image))


def _check_kind(file: BinaryIO) -> None:
    """Name a JPEG of a kind that Pillow does not read."""
    at = 2
    for _ in range(_SEGMENTS):
        file.seek(at)
        head = file.read(5)
        if len(head) < 5 or head[0] != 0xFF or head[1] == 0xDA:
            return
        marker, (length, precision) = head[1], struct.unpack(">HB", head[2:])
        if marker == 0xF7:
            raise UnreadKindError("a JPEG-LS picture")
        if marker in _LOSSLESS:
            raise UnreadKindError("a lossless JPEG")
        if marker in _FRAMES:
            if precision != 8:
                raise UnreadKindError(f"a JPEG of {precision} bits a channel")
            return
        at += 1 if marker == 0xFF else 2 + length


def _check_scans(file: BinaryIO) -> None:
    """Refuse a JPEG of far more scans than there is data for: each costs a pass over all pixels.

    A marker cannot occur in the data of a scan; one in a thumbnail does not matter.
    """
    scans = 0
    file.seek(0)
    while scans <= _MOST_SCANS and (chunk := file.read(CHUNK)):
        scans += chunk.count(b"\xff\xda")  # one that is cut in two goes uncounted
    if scans > _MOST_SCANS:
        raise TooMuchWorkError(f"more than {_MOST_SCANS} scans")


def _space(image: Image.Image) -> Space | None:
    """Adobe RGB, where a camera says so in the way of DCF 2.0: by its interoperability index."""
    with suppress(Exception):  # broken EXIF raises nearly anything, and the pixels are sound
        index = image.getexif().get_ifd(ExifTags.IFD.Exif).get(0xA005)
        interop = image.getexif().get_ifd(ExifTags.IFD.Interop)
        if index is not None and interop.get(1) == "R03" and image.mode == "RGB":
            return adobe_rgb()
    return None
