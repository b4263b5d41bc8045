"""Netpbm, byte by byte; JPEG, WebP and GIF by imagecodecs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np

from support.pictures.model import (
    ALPHA,
    CMYK,
    GREY,
    HEIGHT,
    RGB,
    WIDTH,
    Case,
    integers,
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


def others() -> Iterator[Case]:
    """JPEG, WebP and GIF, which are read by Pillow alone."""
    yield from _jpegs()
    yield Case("webp rgb", bytes(imagecodecs.webp_encode(integers(RGB, 8), lossless=True)), RGB)
    four = integers(np.dstack([RGB, ALPHA]), 8)
    data = bytes(imagecodecs.webp_encode(four, lossless=True))
    yield Case("webp rgb and alpha", data, RGB, ALPHA)
    gif = bytes(imagecodecs.gif_encode(integers(GREY, 8)))
    yield Case("gif", gif, GREY)
    key = int(integers(GREY, 8)[0, 1])
    table = 13 + (3 << (1 + (gif[10] & 7)))
    control = b"!\xf9\x04" + bytes([1, 0, 0, key]) + b"\0"
    gif = b"GIF89a" + gif[6:table] + control + gif[table:]
    yield Case("gif with a transparent colour", gif, GREY, (integers(GREY, 8) != key).astype(float))


def _jpegs() -> Iterator[Case]:
    for values, name in ((RGB, "rgb"), (GREY, "grey")):
        smooth = np.full_like(values, 0.4)
        flat = bytes(imagecodecs.jpeg8_encode(integers(smooth, 8), level=98))
        yield Case(f"jpeg {name}", flat, smooth, tolerance=0.02)
    smooth = np.broadcast_to([0.2, 0.6, 0.8], RGB.shape)
    kept: dict[str, Any] = {"level": 98, "colorspace": "rgb", "outcolorspace": "rgb"}
    data = bytes(imagecodecs.jpeg8_encode(integers(smooth, 8), **kept))
    yield Case("jpeg rgb, stored as such", data, smooth, tolerance=0.02)
    inks = np.broadcast_to([0.2, 0.6, 0.8, 0.2], CMYK.shape)
    shown = (1 - inks[:, :, :3]) * (1 - inks[:, :, 3:])
    for space in ("cmyk", "ycck"):
        options: dict[str, Any] = {"level": 98, "colorspace": "cmyk", "outcolorspace": space}
        data = bytes(imagecodecs.jpeg8_encode(integers(1 - inks, 8), **options))
        yield Case(f"jpeg {space} of Adobe", data, shown, tolerance=0.03)
