"""Netpbm and BMP, byte by byte; AVIF, JPEG, WebP and GIF by imagecodecs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np

from support.pictures.model import (
    ALPHA,
    GREY,
    HEIGHT,
    P3_TO_SRGB,
    RGB,
    WIDTH,
    Case,
    Values,
    encoded,
    integers,
    linear,
)


def netpbms() -> Iterator[Case]:
    for most in (1, 15, 255, 1023, 4095, 16383, 65535):
        for magic, values in ((b"P5", GREY), (b"P6", RGB)):
            shares = np.rint(values * most)
            data = shares.astype(np.uint8 if most < 256 else ">u2").tobytes()
            head = b"%s\n# made by hand\n%d %d\n%d\n" % (magic, WIDTH, HEIGHT, most)
            yield Case(f"ppm {magic.decode()} to {most}", head + data, shares / most)
            plain = b" ".join(b"%d" % int(each) for each in shares.reshape(-1))
            plain_magic = {b"P5": b"P2", b"P6": b"P3"}[magic]
            head = b"%s %d %d %d\n" % (plain_magic, WIDTH, HEIGHT, most)
            yield Case(f"ppm {plain_magic.decode()} to {most}", head + plain + b"\n", shares / most)
    bits = np.rint(GREY).astype(np.uint8)
    data = b"P4 %d %d\n" % (WIDTH, HEIGHT) + np.packbits(1 - bits, axis=1).tobytes()
    yield Case("ppm P4", data, bits.astype(float))
    for magic, values in ((b"Pf", GREY), (b"PF", RGB)):
        for scale, kind in ((b"-1.0", "<f4"), (b"1.0", ">f4")):
            head = b"%s\n%d %d\n%s\n" % (magic, WIDTH, HEIGHT, scale)
            yield Case(
                f"pfm {magic.decode()} {kind}", head + values[::-1].astype(kind).tobytes(), values
            )
    for most in (255, 65535):
        for tuples, values, alpha in (
            (b"GRAYSCALE", GREY[:, :, None], None),
            (b"GRAYSCALE_ALPHA", np.dstack([GREY, ALPHA]), ALPHA),
            (b"RGB", RGB, None),
            (b"RGB_ALPHA", np.dstack([RGB, ALPHA]), ALPHA),
        ):
            head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n" % (
                *(WIDTH, HEIGHT, values.shape[2], most, tuples),
            )
            data = np.rint(values * most).astype(np.uint8 if most < 256 else ">u2").tobytes()
            shown = GREY if tuples.startswith(b"GRAY") else RGB
            yield Case(f"pam {tuples.decode()} to {most}", head + data, shown, alpha)


def bmp(
    bits: int, rows: bytes, *, compression: int = 0, head: bytes = b"", size: int = 40
) -> bytes:
    """A BMP; `head` is what stands between the first 40 bytes of its header and the pixels."""
    information = struct.pack(
        "<IiiHHIIiiII", size, WIDTH, HEIGHT, 1, bits, compression, len(rows), 0, 0, 0, 0
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
    four = np.dstack([blue_first, integers(ALPHA, 8)])
    yield Case("bmp 32", bmp(32, bmp_rows(four)), RGB)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    v4 = masks + b"BGRs" + bytes(48)
    data = bmp(32, bmp_rows(four), compression=3, head=v4, size=108)
    yield Case("bmp 32 with alpha", data, RGB, ALPHA)
    indices = integers(GREY, 4)
    palette = b"".join(bytes([17 * each] * 3) + b"\0" for each in range(16)) + bytes(240 * 4)
    yield Case("bmp 8", bmp(8, bmp_rows(indices), head=palette), GREY)
    five = (np.rint(RGB * 31).astype(np.uint16) << np.array([10, 5, 0], np.uint16)).sum(
        axis=2, dtype=np.uint16
    )
    yield Case("bmp 16", bmp(16, bmp_rows(five)), np.rint(RGB * 31) / 31, tolerance=0.01)


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


def others() -> Iterator[Case]:
    """JPEG, WebP and GIF, which are read by Pillow alone."""
    for values, name in ((RGB, "rgb"), (GREY, "grey")):
        smooth = np.full_like(values, 0.4)
        flat = bytes(imagecodecs.jpeg8_encode(integers(smooth, 8), level=98))
        yield Case(f"jpeg {name}", flat, smooth, tolerance=0.02)
    yield Case("webp rgb", bytes(imagecodecs.webp_encode(integers(RGB, 8), lossless=True)), RGB)
    four = integers(np.dstack([RGB, ALPHA]), 8)
    data = bytes(imagecodecs.webp_encode(four, lossless=True))
    yield Case("webp rgb and alpha", data, RGB, ALPHA)
    yield Case("gif", bytes(imagecodecs.gif_encode(integers(GREY, 8))), GREY)
