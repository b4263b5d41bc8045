"""Files with an ICC profile, in every format and depth that holds one."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np

from support.pictures.bmps import bmp, bmp_rows
from support.pictures.model import (
    ALPHA,
    GREY,
    HEIGHT,
    RGB,
    WIDTH,
    Case,
    encoded,
    integers,
)
from support.pictures.pngs import chunk, png
from support.pictures.tiff_writer import tiff


def profile(kind: bytes, gamma: float, primaries: tuple[float, ...] = ()) -> bytes:
    """An ICC profile of version 2, grey or RGB, with one power for a curve."""
    curve = struct.pack(">4sIIH", b"curv", 0, 1, round(gamma * 256)) + bytes(2)
    tags = {b"wtpt": _xyz_tag(0.9642, 1.0, 0.8249)}
    if kind == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        columns = [primaries[at : at + 3] for at in (0, 3, 6)]
        for name, column in zip((b"r", b"g", b"b"), columns, strict=True):
            tags |= {name + b"XYZ": _xyz_tag(*column), name + b"TRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(tag))
        body += tag
    head = struct.pack(
        ">I4sI4s4s4s12s4s",
        128 + len(table + body),
        b"\0" * 4,
        0x02400000,
        b"mntr",
        kind,
        b"XYZ ",
        bytes(12),
        b"acsp",
    )
    light = struct.pack(">3i", *(round(each * 65536) for each in (0.9642, 1.0, 0.8249)))
    return head.ljust(68, b"\0") + light + bytes(48) + table + body


def _xyz_tag(*xyz: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(each * 65536) for each in xyz))


SRGB_COLUMNS = (0.4361, 0.2225, 0.0139, 0.3851, 0.7169, 0.0971, 0.1431, 0.0606, 0.7142)
"""XYZ of sRGB's red, green and blue, adapted to D50."""
SWAPPED = SRGB_COLUMNS[3:6] + SRGB_COLUMNS[:3] + SRGB_COLUMNS[6:]
"""The same, red and green exchanged."""


def profiled() -> Iterator[Case]:
    """One profile after another, for grey and RGB, in every format and depth that holds one."""
    grey, swapped = profile(b"GRAY", 1.0), profile(b"RGB ", 1.0, SWAPPED)
    light, light_rgb = encoded(GREY), encoded(RGB[:, :, [1, 0, 2]])
    kinds = {"uint8": 8, "uint16": 16}
    for name in ("uint8", "uint16", "float32"):
        for values, profiled, photometric, shown in (
            (GREY, grey, "minisblack", light),
            (RGB, swapped, "rgb", light_rgb),
        ):
            samples = integers(values, kinds[name]) if name in kinds else values.astype(np.float32)
            data = tiff(samples, photometric=photometric, iccprofile=profiled)
            extra = name == "float32" and photometric == "rgb"
            label = f"tiff {photometric} {name} with a profile"
            yield Case(label, data, shown, extra=extra)
    for depth in (1, 2, 4, 8, 16):
        levels = np.rint(GREY * (2**depth - 1))
        iccp = chunk(b"iCCP", b"grey\0\0" + zlib.compress(grey))
        data = png(levels.astype(np.uint16), depth, 0, iccp)
        shown = encoded(levels / (2**depth - 1))
        yield Case(f"png grey {depth} with a profile", data, shown)
    for depth in (8, 16):
        iccp = chunk(b"iCCP", b"swapped\0\0" + zlib.compress(swapped))
        for color, values in ((2, RGB), (6, np.dstack([RGB, ALPHA]))):
            data = png(integers(values, depth), depth, color, iccp)
            alpha = ALPHA if color == 6 else None
            label = f"png {'rgb and alpha' if alpha is not None else 'rgb'} {depth} with a profile"
            yield Case(label, data, light_rgb, alpha)
        both = integers(np.dstack([GREY, ALPHA]), depth)
        iccp = chunk(b"iCCP", b"grey\0\0" + zlib.compress(grey))
        label = f"png grey and alpha {depth} with a profile"
        yield Case(label, png(both, depth, 4, iccp), light, ALPHA)
    flat = np.full((HEIGHT, WIDTH), 0.4)
    jpeg = bytes(imagecodecs.jpeg8_encode(integers(flat, 8), level=98))
    data = jpeg[:2] + _app2(grey) + jpeg[2:]
    yield Case("jpeg grey with a profile", data, encoded(flat), tolerance=0.02)
    red = np.zeros((HEIGHT, WIDTH, 3))
    red[:, :, 0] = 1
    jpeg = bytes(imagecodecs.jpeg8_encode(integers(red, 8), level=98))
    data = jpeg[:2] + _app2(swapped) + jpeg[2:]
    yield Case("jpeg rgb with a profile", data, red[:, :, [1, 0, 2]], tolerance=0.03)
    webp = bytes(imagecodecs.webp_encode(integers(RGB, 8), lossless=True))
    size = struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
    head = b"VP8X" + struct.pack("<II", 10, 0x20) + size
    iccp = b"ICCP" + struct.pack("<I", len(swapped)) + swapped + b"\0" * (len(swapped) % 2)
    body = b"WEBP" + head + iccp + webp[12:]
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    yield Case("webp rgb with a profile", data, light_rgb)
    gif = bytes(imagecodecs.gif_encode(integers(GREY, 8)))
    table = 13 + (3 << (1 + (gif[10] & 7)))
    blocks = b"".join(
        bytes([len(swapped[at : at + 255])]) + swapped[at : at + 255]
        for at in range(0, len(swapped), 255)
    )
    gif = b"GIF89a" + gif[6:table] + b"!\xff\x0bICCRGBG1012" + blocks + b"\0" + gif[table:]
    yield Case("gif with a profile", gif, light)
    rows = bmp_rows(integers(RGB[:, :, ::-1], 8))
    head = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0) + b"DEBM" + bytes(48)
    head += struct.pack("<IIII", 0, 124 + len(rows), len(swapped), 0)
    yield Case(
        "bmp 24 with a profile",
        bmp(24, rows, head=head, size=124) + swapped,
        light_rgb,
    )


def _app2(data: bytes) -> bytes:
    """The segment of a JPEG that holds a short profile."""
    body = b"ICC_PROFILE\0\x01\x01" + data
    return b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
