"""AVIF: the colour space in its container, besides a profile (ISO/IEC 14496-12 and 23008-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from nstd.images.space import Space, space_of_code_points

_HEAD_BYTES = 1 << 20


def space_of_avif(file: BinaryIO) -> Space | None:
    """The space in the primary picture's `colr` box of type `nclx`; None for sRGB."""
    file.seek(0)
    try:
        return _space(file.read(_HEAD_BYTES))
    except (struct.error, ValueError, IndexError):
        return None


def _space(data: bytes) -> Space | None:
    meta = next((body for name, body in _boxes(data) if name == b"meta"), b"")[4:]
    inside = dict(reversed(list(_boxes(meta))))  # the first of each name
    properties = dict(reversed(list(_boxes(inside.get(b"iprp", b"")))))
    each = list(_boxes(properties.get(b"ipco", b"")))
    primary = _primary(inside.get(b"pitm", b""))
    for index in _associated(properties.get(b"ipma", b""), primary):
        if 0 < index <= len(each) and each[index - 1][0] == b"colr":
            body = each[index - 1][1]
            if body[:4] == b"nclx":
                primaries, transfer = struct.unpack_from(">HH", body, 4)
                return space_of_code_points(primaries, transfer)
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The names and contents of the boxes in `data`."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        end = at + size if size else len(data)
        if size and size < head:
            raise ValueError(size)
        yield name, data[at + head : end]
        at = end


def _primary(pitm: bytes) -> int:
    """The number of the primary picture."""
    version = pitm[0] if pitm else 0
    number: int = struct.unpack_from(">I" if version else ">H", pitm, 4)[0]
    return number


def _associated(ipma: bytes, item: int) -> list[int]:
    """The numbers, from 1, of the properties of `item`."""
    version, wide = ipma[0], ipma[3] & 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(min(count, len(ipma))):
        form = ">IB" if version else ">HB"
        number, some = struct.unpack_from(form, ipma, at)
        at += struct.calcsize(form)
        step = 2 if wide else 1
        numbers = struct.unpack_from(f">{some}{'H' if wide else 'B'}", ipma, at)
        at += step * some
        if number == item:
            return [each & (0x7FFF if wide else 0x7F) for each in numbers]
    return []
