"""TIFFs by tifffile, and what it cannot be told to write."""

from __future__ import annotations

import io
import struct
from typing import Any

import tifffile

from support.pictures.model import (
    Values,
)


def tiff(pixels: Values, *, photometric: str | int = "minisblack", **options: Any) -> bytes:
    """A TIFF of one page."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(
        buffer, byteorder=options.pop("byteorder", "<"), bigtiff=options.pop("bigtiff", False)
    ) as file:
        file.write(pixels, photometric=photometric, metadata=None, **options)
    return buffer.getvalue()


def with_tag(
    data: bytes, tag: int, *, number: int | None = None, value: int | None = None
) -> bytes:
    """A little-endian TIFF of one page, one of its tags with another number or short value."""
    made = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            if number is not None:
                struct.pack_into("<H", made, entry, number)
            if value is not None:
                struct.pack_into("<H", made, entry + 8, value)
    return bytes(made)
