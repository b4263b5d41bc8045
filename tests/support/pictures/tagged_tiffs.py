"""TIFFs whose tags say more: pages, orientation, palettes, packing, further channels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile

from support.pictures.model import (
    ALPHA,
    CMYK,
    CMYK_RGB,
    GREY,
    HEIGHT,
    RGB,
    WIDTH,
    Case,
    integers,
    lightness,
    turned,
)
from support.pictures.tiff_writer import tiff, with_tag


def tagged_tiffs() -> Iterator[Case]:
    small = integers(RGB[::3, ::3], 8)
    for first in (False, True):
        for kind in (1, 4):
            buffer = io.BytesIO()
            page = integers(RGB, 8), {"photometric": "rgb"}
            sub = small if kind == 1 else np.ones((HEIGHT, WIDTH), bool)
            more = sub, {"subfiletype": kind, "photometric": "rgb" if kind == 1 else 4}
            with tifffile.TiffWriter(buffer) as file:
                for pixels, options in [more, page] if first else [page, more]:
                    file.write(pixels, metadata=None, **options)  # type: ignore[arg-type]
            name = {1: "thumbnail", 4: "mask"}[kind]
            data = buffer.getvalue()
            yield Case(f"tiff with a {name} {'before' if first else 'behind'}", data, RGB)
    for name in ("uint8", "uint16", "float32"):
        values = RGB.astype(np.float32) if name == "float32" else integers(RGB, int(name[4:]))
        for orientation in range(1, 9):
            data = tiff(values, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
            label = f"tiff rgb {name} orientation {orientation}"
            yield Case(label, data, turned(RGB, orientation), extra=name == "float32")
    palette = np.zeros((3, 256), np.uint16)
    palette[:, :16] = np.arange(16) * 4369
    indices = np.rint(GREY * 15).astype(np.uint8)
    data = tiff(indices, photometric="palette", colormap=palette)
    yield Case("tiff palette uint8", data, GREY)
    data = tiff(indices, photometric="palette", colormap=palette // 257)
    yield Case("tiff palette uint8, its colours of 8 bits", data, GREY)

    for bits in (1, 2, 4):
        few = np.linspace(65535, 0, 2**bits).astype(np.uint16)
        colors = (320, "H", 3 * 2**bits, tuple(int(each) for each in [*few] * 3), True)
        coarse = np.rint(GREY * (2**bits - 1))
        indices = coarse.astype(bool if bits == 1 else np.uint8)
        data = tiff(indices, extratags=[colors], **({} if bits == 1 else {"bitspersample": bits}))
        data = with_tag(data, 262, value=3)
        yield Case(f"tiff palette uint{bits}", data, 1 - coarse / (2**bits - 1))
    for compression in ("zstd", "lzma", "packbits", "adobe_deflate"):
        for name, values in (("uint8", integers(RGB, 8)), ("float32", RGB.astype(np.float32))):
            if (compression, name) != ("lzma", "float32"):
                data = tiff(values, photometric="rgb", compression=compression)
                yield Case(f"tiff rgb {name} {compression}", data, RGB, extra=name == "float32")
    for photometric, ink in (("minisblack", GREY > 0.5), ("miniswhite", GREY <= 0.5)):
        data = tiff(ink, photometric=photometric, compression="packbits")
        yield Case(f"tiff grey {photometric} uint1 packbits", data, (GREY > 0.5).astype(float))
    for laid in ("contig", "separate"):
        for name, values in (("cmyk", CMYK), ("rgba", np.dstack([RGB, ALPHA]))):
            for depth in (8, 16):
                whole = integers(values, depth)
                whole = whole if laid == "contig" else np.moveaxis(whole, 2, 0).copy()
                said: dict[str, Any] = {"photometric": "separated"}
                if name == "rgba":
                    said = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
                data = tiff(whole, planarconfig=laid, **said)
                shown, alpha = (CMYK_RGB, None) if name == "cmyk" else (RGB, ALPHA)
                extra = laid == "separate" and (depth == 16 or name == "rgba")
                label = f"tiff {name} uint{depth} {laid}"
                yield Case(label, data, shown, alpha, extra=extra, tolerance=0.02)
    many = integers(np.dstack([RGB, GREY, GREY]), 8)
    data = tiff(many, photometric="rgb", extrasamples=["unspecified", "unspecified"])
    yield Case("tiff rgb uint8 and two others", data, RGB)
    many = np.dstack([RGB, ALPHA, GREY]).astype(np.float32)
    data = tiff(many, photometric="rgb", extrasamples=["unassalpha", "unspecified"])
    yield Case("tiff rgb float32, alpha and another", data, RGB, ALPHA, extra=True)
    bare = with_tag(
        tiff(integers(np.dstack([RGB, ALPHA]), 8), photometric="rgb"), 338, number=60_000
    )
    yield Case("tiff rgb uint8 of four channels, nothing said of one", bare, RGB, ALPHA)
    plain = np.tile([0.8, 0.4, 0.2], (HEIGHT, WIDTH, 1))
    luma = plain @ [0.299, 0.587, 0.114]  # ITU-R BT.601
    blue, red = (plain[:, :, 2] - luma) / 1.772 + 0.5, (plain[:, :, 0] - luma) / 1.402 + 0.5
    ycbcr = integers(np.dstack([luma, blue, red]), 8)
    data = tiff(ycbcr, photometric="ycbcr", compression="jpeg")
    yield Case("tiff ycbcr uint8 jpeg", data, plain, tolerance=0.02)
    five = integers(np.dstack([CMYK, ALPHA]), 8)
    data = tiff(five, photometric="separated", extrasamples=["unassalpha"])
    yield Case("tiff cmyk uint8 and alpha", data, CMYK_RGB, ALPHA, extra=True, tolerance=0.02)
    for bits in (2, 4):
        coarse = np.rint(RGB * (2**bits - 1))
        data = tiff(coarse.astype(np.uint8), photometric="rgb", bitspersample=bits)
        yield Case(f"tiff rgb uint{bits}", data, coarse / (2**bits - 1), extra=True)
    for long in ("uint64", "int64"):
        for bits in (8, 16):
            data = tiff(integers(RGB, bits).astype(long), photometric="rgb")
            yield Case(f"tiff rgb {long} of {bits} bits", data, RGB, extra=True)
    lab = np.dstack([GREY * 255, 0 * GREY, 0 * GREY]).astype(np.uint8)
    yield Case("tiff lab uint8", tiff(lab, photometric="cielab"), lightness(GREY), tolerance=0.02)
