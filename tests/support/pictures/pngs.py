"""PNGs, byte by byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from support.pictures.model import (
    ALPHA,
    GREY,
    HEIGHT,
    P3,
    P3_TO_SRGB,
    RGB,
    WIDTH,
    Case,
    Values,
    encoded,
    integers,
    linear,
)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples: Values, depth: int, color: int, *chunks: bytes, interlace: bool = False) -> bytes:
    """A PNG of (height, width, channels) samples; `chunks` stand before the pixels."""
    height, width = samples.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    passes = [samples]
    if interlace:
        starts = [
            (0, 0, 8, 8),
            (0, 4, 8, 8),
            (4, 0, 8, 4),
            (0, 2, 4, 4),
            (2, 0, 4, 2),
            (0, 1, 2, 2),
        ]
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in [*starts, (1, 0, 2, 1)]]
    rows = b"".join(b"\0" + _packed(row, depth) for each in passes if each.size for row in each)
    body = b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body


def _packed(row: Values, depth: int) -> bytes:
    flat = row.reshape(-1)
    if depth >= 8:
        return flat.astype(f">u{depth // 8}").tobytes()
    bits = (flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes()


def pngs() -> Iterator[Case]:
    for interlace in (False, True):
        way = " interlaced" * interlace
        for depth in (1, 2, 4, 8, 16):
            coarse = np.rint(GREY * (2**depth - 1)) / (2**depth - 1)
            raw = integers(GREY, depth)
            yield Case(f"png grey {depth}{way}", png(raw, depth, 0, interlace=interlace), coarse)
            key = int(raw[3, 3])
            trns = chunk(b"tRNS", struct.pack(">H", key))
            yield Case(
                f"png grey {depth} tRNS{way}",
                png(raw, depth, 0, trns, interlace=interlace),
                coarse,
                (raw != key).astype(float),
            )
        for depth in (8, 16):
            raw = integers(RGB, depth)
            yield Case(f"png rgb {depth}{way}", png(raw, depth, 2, interlace=interlace), RGB)
            key3 = [int(each) for each in raw[3, 3]]
            trns = chunk(b"tRNS", struct.pack(">3H", *key3))
            yield Case(
                f"png rgb {depth} tRNS{way}",
                png(raw, depth, 2, trns, interlace=interlace),
                RGB,
                (raw != key3).any(axis=2).astype(float),
            )
            for color, values in ((4, GREY[:, :, None]), (6, RGB)):
                both = integers(np.dstack([values, ALPHA]), depth)
                name = f"png {'grey' if color == 4 else 'rgb'} and alpha {depth}{way}"
                data = png(both, depth, color, interlace=interlace)
                yield Case(name, data, values.squeeze(), ALPHA)
    for bits in (10, 12, 14):
        said = chunk(b"sBIT", bytes([bits]))
        data = png(integers(GREY, bits), 16, 0, said)
        yield Case(f"png grey 16 of {bits} bits, not widened", data, GREY)
        data = png(integers(GREY, bits) << (16 - bits), 16, 0, said)
        yield Case(f"png grey 16 of {bits} bits, widened", data, GREY)
    near = np.full((HEIGHT, WIDTH, 3), 0x8000, np.uint16)
    near[:5] = 0x8001  # another colour than the key, of the same high byte
    trns = chunk(b"tRNS", struct.pack(">3H", *[0x8000] * 3))
    yield Case(
        "png rgb 16 tRNS, a near colour",
        png(near, 16, 2, trns),
        near / 65535,
        np.repeat((np.arange(HEIGHT) < 5)[:, None], WIDTH, axis=1).astype(float),
    )
    near_grey = near[:, :, 0]
    yield Case(
        "png grey 16 tRNS, a near colour",
        png(near_grey, 16, 0, chunk(b"tRNS", struct.pack(">H", 0x8000))),
        near / 65535,
        np.repeat((np.arange(HEIGHT) < 5)[:, None], WIDTH, axis=1).astype(float),
    )
    palette = chunk(b"PLTE", bytes(np.repeat(np.arange(16) * 17, 3).astype(np.uint8)))
    indices = integers(GREY, 4)
    for depth in (4, 8):
        alphas = chunk(b"tRNS", bytes(np.arange(16, dtype=np.uint8) * 17))
        yield Case(f"png palette {depth}", png(indices, depth, 3, palette), GREY)
        yield Case(f"png palette {depth} tRNS", png(indices, depth, 3, palette, alphas), GREY, GREY)
    raw = integers(RGB, 8)
    for kind in (b"tEXt", b"zTXt", b"iTXt"):
        long = b"x" * 3_000_000
        text = {
            b"tEXt": b"Comment\0" + long,
            b"zTXt": b"Comment\0\0" + zlib.compress(long),
            b"iTXt": b"Comment\0\1\0\0\0" + zlib.compress(long),
        }[kind]
        yield Case(
            f"png rgb 8 with a large {kind.decode()}", png(raw, 8, 2, chunk(kind, text)), RGB
        )
    for depth in (8, 16):
        for color, values in ((0, GREY), (2, RGB)):
            raw = integers(values, depth)
            what = f"png {'rgb' if color else 'grey'} {depth}"
            half = chunk(b"gAMA", struct.pack(">I", 100_000))
            yield Case(f"{what} gAMA 1", png(raw, depth, color, half), encoded(values))
            usual = chunk(b"gAMA", struct.pack(">I", 45_455))
            yield Case(f"{what} gAMA 1/2.2", png(raw, depth, color, usual), values)
            data = png(raw, depth, color, half, chunk(b"sRGB", b"\0"))
            yield Case(f"{what} gAMA 1 under sRGB", data, values)
        raw = integers(RGB, depth)
        wide = chunk(b"cHRM", struct.pack(">8I", *[int(each * 100_000) for each in P3]))
        gamma = chunk(b"gAMA", struct.pack(">I", 45_455))
        shown = encoded(np.clip(linear(RGB) @ P3_TO_SRGB.T, 0, 1))
        yield Case(f"png rgb {depth} gAMA cHRM of P3", png(raw, depth, 2, gamma, wide), shown)
        cicp = chunk(b"cICP", bytes([12, 13, 0, 1]))
        yield Case(f"png rgb {depth} cICP of P3", png(raw, depth, 2, cicp), shown)
        yield Case(f"png rgb {depth} cICP above gAMA", png(raw, depth, 2, cicp, half), shown)
        light = chunk(b"cICP", bytes([1, 8, 0, 1]))
        yield Case(f"png rgb {depth} cICP linear", png(raw, depth, 2, light), encoded(RGB))
