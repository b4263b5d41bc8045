"""BMP: palettes and bit fields of any kind, of which Pillow reads some wrong and refuses others."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nstd.images.model import Stored, UnreadKindError
from nstd.images.pillow import Opener
from nstd.images.profiles import profile_of_bmp

_CORE = 12
"""The size of the oldest header, that of OS/2."""
_RAW, _FIELDS, _ALPHA_FIELDS = 0, 3, 6
_UNREAD = {4: "a BMP that contains a JPEG", 5: "a BMP that contains a PNG"}
_OS2 = 64
"""The size of the header of OS/2 version 2, in which two numbers of packings mean another."""
_USUAL_MASKS = {16: [0x7C00, 0x3E0, 0x1F], 32: [0xFF0000, 0xFF00, 0xFF]}
_BAND = 1 << 20
"""Pixels processed at a time, to save memory."""


@dataclass(frozen=True)
class _Header:
    """What the header says; `masks` are those of red, green, blue and alpha, if it has any."""

    size: int
    start: int
    width: int
    height: int
    top_down: bool
    bits: int
    packing: int
    colors: int
    masks: tuple[int, ...]


def read_bmp(file: BinaryIO, open_image: Opener) -> Stored:
    """The picture in `file`. Raises ValueError where it is broken or cut short."""
    head = _header(file)
    if head.packing in _UNREAD or (head.size == _OS2 and head.packing == _FIELDS):
        raise UnreadKindError(_UNREAD.get(head.packing, "a BMP of OS/2, packed,"))
    profile = profile_of_bmp(file)
    file.seek(0)
    if head.packing in (_FIELDS, _ALPHA_FIELDS) and head.bits in (16, 32):
        return _of_fields(head, _rows(head, file, open_image), profile)
    if head.packing == _RAW and head.bits <= 8:
        return _of_palette(head, _palette(head, file), _rows(head, file, open_image), profile)
    with open_image(file) as image:
        image.load()
        return Stored(image, profile=profile)


def _header(file: BinaryIO) -> _Header:
    file.seek(0)
    data = file.read(14 + 124)
    start, size = struct.unpack_from("<II", data, 10)
    if size == _CORE:
        width, height, _, bits = struct.unpack_from("<4H", data, 18)
        return _Header(size, start, width, height, False, bits, _RAW, 0, ())
    width, height, _, bits, packing = struct.unpack_from("<iiHHI", data, 18)
    (colors,) = struct.unpack_from("<I", data, 46)
    masks: tuple[int, ...] = ()
    if packing in (_FIELDS, _ALPHA_FIELDS):
        with_alpha = size >= 56 or packing == _ALPHA_FIELDS
        masks = struct.unpack_from("<4I" if with_alpha else "<3I", data, 54)
    return _Header(size, start, width, abs(height), height < 0, bits, packing, colors, masks)


def _palette(head: _Header, file: BinaryIO) -> NDArray[np.uint8]:
    """(2 ** bits, 3): the colours as RGB; those that the file does not have are black."""
    wide = 3 if head.size == _CORE else 4
    most = 2**head.bits
    file.seek(14 + head.size)
    data = file.read(min(head.colors or most, most) * wide)
    given = np.frombuffer(data[: len(data) // wide * wide], np.uint8).reshape(-1, wide)
    palette = np.zeros((most, 3), np.uint8)
    palette[: len(given)] = given[:, 2::-1]
    return palette


def _rows(head: _Header, file: BinaryIO, open_image: Opener) -> NDArray[np.uint8]:
    """(height, bytes of a row), from the top down."""
    open_image.check_size(head.width, head.height)
    length = (head.width * head.bits + 31) // 32 * 4
    file.seek(head.start)
    data = file.read(length * head.height)
    if len(data) < length * head.height:
        raise ValueError(f"{len(data):,} bytes of {length * head.height:,}")
    rows = np.frombuffer(data, np.uint8).reshape(head.height, length)
    return rows if head.top_down else rows[::-1]


def _of_palette(
    head: _Header, palette: NDArray[np.uint8], rows: NDArray[np.uint8], profile: bytes | None
) -> Stored:
    if head.bits not in (1, 2, 4, 8):
        raise ValueError(f"{head.bits} bits a pixel")
    shifts = np.arange(8 - head.bits, -1, -head.bits, dtype=np.uint8)
    made = np.empty((head.height, head.width, 3), np.uint8)
    for band in _bands(head):
        indices = (rows[band, :, None] >> shifts) & (2**head.bits - 1)
        made[band] = palette[indices.reshape(len(indices), -1)[:, : head.width]]
    return Stored(Image.fromarray(made), profile=profile)


def _of_fields(head: _Header, rows: NDArray[np.uint8], profile: bytes | None) -> Stored:
    """Each channel is the bits of its mask; one without a mask is black, or opaque.

    8 bits a channel become an image, more become values.
    """
    masks = [mask & (2**head.bits - 1) for mask in head.masks]
    if not any(masks[:3]):
        masks = _USUAL_MASKS[head.bits]
    if any((mask // (mask & -mask or 1)).bit_count() != _width(mask) for mask in masks):
        raise UnreadKindError("a BMP with bit fields that have gaps")
    is_deep = any(mask.bit_count() > 8 for mask in masks)
    channels = 3 + any(masks[3:])
    made = np.zeros((head.height, head.width, channels), np.float32 if is_deep else np.uint8)
    for band in _bands(head):
        numbers = np.ascontiguousarray(rows[band]).view(f"<u{head.bits // 8}")[:, : head.width]
        for at, mask in enumerate(masks[:channels]):
            if mask:
                share = (numbers & mask) / np.float32(mask)
                made[band, :, at] = share if is_deep else np.rint(share * 255)
    if channels == 4 and not made[:, :, 3].any():
        made = np.ascontiguousarray(made[:, :, :3])  # as browsers do: many programs leave it empty
    if not is_deep:
        return Stored(Image.fromarray(made), profile=profile)
    alpha = made[:, :, 3] if made.shape[2] == 4 else None
    return Stored(values=made[:, :, :3], alpha=alpha, profile=profile)


def _width(mask: int) -> int:
    """The number of bits from the lowest to the highest bit of a mask."""
    return (mask // (mask & -mask or 1)).bit_length()


def _bands(head: _Header) -> Iterator[slice]:
    step = max(1, _BAND // head.width)
    return (slice(top, top + step) for top in range(0, head.height, step))
