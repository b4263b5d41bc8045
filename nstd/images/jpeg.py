"""JPEG: checks before it is decoded, and the colour space that cameras write into EXIF."""

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
"""The most scans of a file; progressive JPEGs have about ten for each picture."""
_SEGMENTS = 10_000
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)


def read_jpeg(file: BinaryIO, open_image: Opener) -> Stored:
    """The picture in `file`: the first, if there are several, as written by phones."""
    _check_kind(file)
    _check_scans(file)
    file.seek(0)
    with open_image(file) as image:
        image.load()
        profile = profile_of(image)
        space = _space(image) if profile is None else None
        return Stored(image, profile=profile, space=space, orientation=orientation_of(image))


def _check_kind(file: BinaryIO) -> None:
    """Raise an error that names a kind of JPEG that Pillow does not read."""
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
    """Refuse a JPEG with too many scans for its data: each costs a pass over all pixels.

    A marker cannot occur in the data of a scan; markers in a thumbnail do not matter.
    """
    scans = 0
    file.seek(0)
    while scans <= _MOST_SCANS and (chunk := file.read(CHUNK)):
        scans += chunk.count(b"\xff\xda")  # a marker across two chunks is not counted
    if scans > _MOST_SCANS:
        raise TooMuchWorkError(f"more than {_MOST_SCANS} scans")


def _space(image: Image.Image) -> Space | None:
    """Adobe RGB, if the interoperability index of EXIF says so (DCF 2.0); else None."""
    with suppress(Exception):  # broken EXIF raises many types of errors; the pixels are valid
        index = image.getexif().get_ifd(ExifTags.IFD.Exif).get(0xA005)
        interop = image.getexif().get_ifd(ExifTags.IFD.Interop)
        if index is not None and interop.get(1) == "R03" and image.mode == "RGB":
            return adobe_rgb()
    return None
