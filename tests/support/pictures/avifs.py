"""AVIFs by imagecodecs, some with boxes that are added byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np

from support.pictures.model import ALPHA, P3_TO_SRGB, RGB, Case, Values, encoded, integers, linear


def avif(values: Values, bits: int, **color: Any) -> bytes:
    """A lossless AVIF."""
    return bytes(
        imagecodecs.avif_encode(
            integers(values, bits), level=100, pixelformat="444", bitspersample=bits, **color
        )
    )


def avifs() -> Iterator[Case]:
    for bits in (8, 10, 12):
        yield Case(f"avif rgb {bits}", avif(RGB, bits), RGB, tolerance=0.02)
        data = avif(np.dstack([RGB, ALPHA]), bits)
        yield Case(f"avif rgb and alpha {bits}", data, RGB, ALPHA, tolerance=0.02)
        wide = avif(RGB, bits, primaries=12, transfer=13)
        shown = encoded(np.clip(linear(RGB) @ P3_TO_SRGB.T, 0, 1))
        yield Case(f"avif rgb {bits} nclx P3", wide, shown, tolerance=0.03)
        light = avif(RGB, bits, primaries=1, transfer=8)
        yield Case(f"avif rgb {bits} nclx linear", light, encoded(RGB), tolerance=0.05)
    yield from _turned()


def _turned() -> Iterator[Case]:
    """Turned by quarters against the clock, then mirrored (ISO/IEC 23008-12, 6.5.10 and 6.5.12)."""
    plain = avif(RGB, 8)
    for quarters in range(4):
        for mirror, axes in ((None, ()), (0, (0,)), (1, (1,))):
            boxes = [(b"irot", bytes([quarters]))]
            boxes += [] if mirror is None else [(b"imir", bytes([mirror]))]
            shown = np.flip(np.rot90(RGB, quarters), axes)
            name = f"avif turned by {quarters} quarters, mirrored {mirror}"
            yield Case(name, _with_properties(plain, boxes), shown, tolerance=0.02)


def _with_properties(data: bytes, boxes: list[tuple[bytes, bytes]]) -> bytes:
    """The file of one item, with more properties of that item, at the end of those it has."""
    made = bytearray(data)
    (count,) = struct.unpack_from(">B", made, made.index(b"ipma") + 14)
    number = made[made.index(b"ipma") + 15 :][:count][-1] & 0x7F
    added = b"".join(struct.pack(">I4s", 8 + len(body), name) + body for name, body in boxes)
    associated = bytes(0x80 | number + 1 + at for at in range(len(boxes)))
    made[made.index(b"ipma") + 14] += len(boxes)
    end = made.index(b"ipma") - 4
    for name, more in (("meta", 0), ("iprp", 0), ("ipco", -len(associated)), ("ipma", 0)):
        at = made.index(name.encode()) - 4
        grown = len(added) + len(associated) + more if name != "ipma" else len(associated)
        made[at : at + 4] = struct.pack(">I", struct.unpack_from(">I", made, at)[0] + grown)
    at = made.index(b"iloc") + 18  # of the one extent
    place = struct.unpack_from(">I", made, at)[0] + len(added) + len(associated)
    made[at : at + 4] = struct.pack(">I", place)
    after = made.index(b"mdat") - 4  # ipma is the last box before it
    return bytes(made[:end]) + added + bytes(made[end:after]) + associated + bytes(made[after:])
