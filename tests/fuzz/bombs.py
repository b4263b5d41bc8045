"""Small files that unfold into something large, or promise to; made when they are asked for."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from support.pictures.tiff_writer import tiff

from .seeds import chunk, drawn, png, saved

_DEFLATED: dict[str, Any] = {"compression": "deflate", "rowsperstrip": 1000}
_SCAN = b"\xff\xda\0\x08\x01\x01\0\x01\x3f\x10\0"  # one pass over all pixels, for 11 bytes


@cache
def _zeros() -> bytes:
    """A hundred megabytes, deflated."""
    return zlib.compress(bytes(100_000_000), 9)


def _with(*chunks: bytes) -> bytes:
    """A PNG of a million black pixels with these chunks before them."""
    return png(1000, 1000, 2, *chunks, chunk(b"IDAT", zlib.compress(bytes(1000 * 3001), 9)))


def _text() -> bytes:
    return chunk(b"zTXt", b"Comment\0\0" + _zeros())


def _deep() -> bytes:
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000 * 8001), 9))
    return png(1000, 1000, 6, pixels, depth=16)


def _huge(form: str, **options: Any) -> bytes:
    return saved(Image.new("1", (20_000, 20_000)), form, **options)


def _many_scans() -> bytes:
    progressive = saved(drawn("L", (1000, 1000)), "JPEG", progressive=True)
    return progressive[:-2] + _SCAN * 20_000 + b"\xff\xd9"


def _pages(count: int) -> bytes:
    """A TIFF of so many thumbnails."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for _ in range(count):
            file.write(np.zeros((4, 4), np.float32), subfiletype=1, metadata=None)
    return buffer.getvalue()


def _strip(packed: bytes) -> bytes:
    """A TIFF of 10 x 10 floats in a strip that unfolds into far more."""
    data = bytearray(_tiff(np.zeros((10, 10, 3), np.float32)))
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag in (273, 279):  # where it is, and how long
            value = len(data) if tag == 273 else len(packed)
            struct.pack_into("<HII", data, entry + 2, 4, 1, value)
    return bytes(data) + packed


def _tiff(array: np.ndarray[Any, Any], **options: Any) -> bytes:
    return tiff(array, photometric="rgb", **_DEFLATED, **options)


BOMBS: dict[str, Callable[[], bytes]] = {
    "text": lambda: _with(_text()),
    "profile": lambda: _with(chunk(b"iCCP", b"sRGB\0\0" + _zeros())),
    "header": lambda: png(60_000, 60_000, 2),
    "pixels": lambda: _huge("PNG"),
    "fax": lambda: _huge("TIFF", compression="group4"),
    "data": lambda: png(10, 10, 2, chunk(b"IDAT", _zeros())),
    "many scans": _many_scans,
    "texts": lambda: _with(*[_text()] * 5),
    "pages": lambda: _pages(3000),
    "strip": lambda: _strip(_zeros()),
    "floats": lambda: _tiff(np.zeros((1000, 1000, 3), np.float32)),
    "doubles": lambda: _tiff(np.zeros((1000, 1000, 4))),
    "planes": lambda: _tiff(np.zeros((3, 1000, 1000), np.uint16), planarconfig="separate"),
    "channels": lambda: _tiff(np.zeros((100, 100, 60), np.float32)),
    "deep": _deep,
    "plain": lambda: b"P5 1000 1000 65535\n" + bytes(2_000_000),
    "thin": lambda: saved(Image.new("L", (1, 60_000)), "PNG"),
    "comments": lambda: b"\xff\xd8" + (b"\xff\xfe\xff\xff" + bytes(65_533)) * 20 + b"\xff\xd9",
}
