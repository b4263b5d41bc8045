"""BMPs, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from support.pictures.model import ALPHA, GREY, HEIGHT, RGB, WIDTH, Case, Values, integers

FOUR = np.dstack([RGB, ALPHA])


def bmp(
    bits: int,
    rows: bytes,
    *,
    compression: int = 0,
    head: bytes = b"",
    size: int = 40,
    colors: int = 0,
    height: int = HEIGHT,
) -> bytes:
    """A BMP; `head` is what stands between the first 40 bytes of its header and the pixels."""
    information = struct.pack(
        "<IiiHHIIiiII", size, WIDTH, height, 1, bits, compression, len(rows), 0, 0, colors, 0
    )
    start = 14 + len(information) + len(head)
    file = struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start)
    return file + information + head + rows


def bmp_rows(pixels: Values) -> bytes:
    """From the bottom up, each a multiple of four bytes."""
    return b"".join((line := row.tobytes()) + bytes(-len(line) % 4) for row in pixels[::-1])


def bmps() -> Iterator[Case]:
    blue_first = integers(RGB[:, :, ::-1], 8)
    yield Case("bmp 24", bmp(24, bmp_rows(blue_first)), RGB)
    yield Case("bmp 24, top down", bmp(24, bmp_rows(blue_first[::-1]), height=-HEIGHT), RGB)
    yield Case("bmp 24 of OS/2", _of_os2(24, bmp_rows(blue_first)), RGB)
    four = np.dstack([blue_first, integers(ALPHA, 8)])
    yield Case("bmp 32", bmp(32, bmp_rows(four)), RGB)
    five = _joined(RGB, (0x7C00, 0x3E0, 0x1F), np.uint16)
    yield Case("bmp 16", bmp(16, bmp_rows(five)), np.rint(RGB * 31) / 31)
    yield from _with_fields()
    yield from _with_palettes()


FIELDS: dict[str, tuple[int, ...]] = {
    "16 of 5, 6, 5": (0xF800, 0x7E0, 0x1F),
    "16 of 5, 5, 5": (0x7C00, 0x3E0, 0x1F),
    "16 of 5, 5, 5, blue first": (0x1F, 0x3E0, 0x7C00),
    "16 of 5, 5, 5 and alpha": (0x7C00, 0x3E0, 0x1F, 0x8000),
    "16 of 4, 4, 4": (0xF00, 0xF0, 0xF),
    "16 of 4, 4, 4, 4": (0xF00, 0xF0, 0xF, 0xF000),
    "16 of 3, 3, 2": (0xE0, 0x1C, 0x3),
    "32": (0xFF0000, 0xFF00, 0xFF),
    "32, red first": (0xFF, 0xFF00, 0xFF0000),
    "32, in the upper bytes": (0xFF000000, 0xFF0000, 0xFF00),
    "32 with alpha": (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
    "32 with alpha, red first": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
    "32 of 10, 10, 10": (0x3FF00000, 0xFFC00, 0x3FF),
    "32 of 10, 10, 10, 2": (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000),
    "32 of 11, 11, 10": (0xFFE00000, 0x1FFC00, 0x3FF),
}


def _with_fields() -> Iterator[Case]:
    for name, masks in FIELDS.items():
        bits = int(name[:2])
        numbers = _joined(FOUR, masks, np.dtype(f"<u{bits // 8}").type)
        shown, *alpha = np.split(_coarse(FOUR, masks), [3], axis=2)
        cover = alpha[0][:, :, 0] if len(masks) == 4 else None
        for size in (40, 56, 108):
            if size == 40 and cover is not None:
                continue
            stored = struct.pack("<4I", *masks, *(0,) * (4 - len(masks)))
            head = stored[:12] if size == 40 else stored + bytes(size - 56)
            data = bmp(bits, bmp_rows(numbers), compression=3, head=head, size=size)
            yield Case(f"bmp {name}, a head of {size}", data, shown, cover)
    masks = FIELDS["32 with alpha"]
    empty = _joined(np.dstack([RGB, 0 * ALPHA]), masks, np.uint32)
    head = struct.pack("<4I", *masks) + bytes(52)
    data = bmp(32, bmp_rows(empty), compression=3, head=head, size=108)
    yield Case("bmp 32 with alpha that is empty", data, RGB)


def _with_palettes() -> Iterator[Case]:
    for bits in (1, 2, 4, 8):
        indices = integers(GREY, min(bits, 4))
        most = int(indices.max())
        colors = np.stack(
            [np.arange(most + 1) / most, 1 - np.arange(most + 1) / most, np.full(most + 1, 0.4)],
            axis=1,
        )
        for what, wanted in (("colours", colors), ("grey", np.repeat(colors[:, :1], 3, 1))):
            for used in (0, most + 1):
                palette = _palette(wanted, used or 2**bits)
                data = bmp(bits, bmp_rows(_packed(indices, bits)), head=palette, colors=used)
                yield Case(f"bmp {bits} of {used or 'all'} {what}", data, wanted[indices])
        data = _of_os2(bits, bmp_rows(_packed(indices, bits)), _palette(colors, 2**bits, 3))
        yield Case(f"bmp {bits} of OS/2", data, colors[indices])
    dark = np.repeat(np.arange(16)[:, None] / 255, 3, 1)
    indices = integers(GREY, 4)
    data = bmp(4, bmp_rows(_packed(indices, 4)), head=_palette(dark, 16))
    yield Case("bmp 4 of the darkest grey", data, dark[indices])
    for name, two in (("grey", np.array([[0.0] * 3, [1.0] * 3])), ("colours", np.eye(3)[:2])):
        ones = np.rint(GREY).astype(np.uint8)
        runs = b"".join(
            b"".join(bytes([1, int(each)]) for each in row) + b"\0\0" for row in ones[::-1]
        )
        data = bmp(8, runs + b"\0\1", compression=1, head=_palette(two, 2), colors=2)
        yield Case(f"bmp 8 of two {name}, run lengths", data, two[ones])


def _joined(values: Values, masks: tuple[int, ...], kind: type) -> Values:
    """Numbers with the channels at the bits of their masks."""
    numbers = np.zeros(values.shape[:2], np.uint64)
    for at, mask in enumerate(masks):
        low = mask & -mask
        numbers += np.rint(values[:, :, at] * (mask // low)).astype(np.uint64) * np.uint64(low)
    return numbers.astype(kind)


def _coarse(values: Values, masks: tuple[int, ...]) -> Values:
    """What is left of the values at the depths of their masks."""
    most = np.array([mask // (mask & -mask) for mask in (*masks, 1)[: values.shape[2]]])
    left: Values = np.rint(values * most) / most
    return left


def _palette(colors: Values, count: int, wide: int = 4) -> bytes:
    """As many colours, blue first."""
    blue_first = integers(colors[:, ::-1], 8)
    table = np.zeros((count, wide), np.uint8)
    table[: len(colors), :3] = blue_first
    return table.tobytes()


def _packed(indices: Values, bits: int) -> Values:
    """Rows of bytes, the first pixel in the highest bits."""
    each = (indices[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(each.reshape(len(indices), -1).astype(np.uint8), axis=1)


def _of_os2(bits: int, rows: bytes, palette: bytes = b"") -> bytes:
    """With the short header of OS/2 and of Windows 2."""
    information = struct.pack("<I4H", 12, WIDTH, HEIGHT, 1, bits) + palette
    start = 14 + len(information)
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + information + rows
