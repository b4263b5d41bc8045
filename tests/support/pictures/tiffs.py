"""TIFFs of every photometric kind and depth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from support.pictures.model import (
    ALPHA,
    CMYK,
    CMYK_RGB,
    GREY,
    RGB,
    Case,
    Values,
    integers,
)
from support.pictures.tiff_writer import tiff

_HELD_BY_PILLOW = (("minisblack", 16, ">"), ("miniswhite", 16, "<"))


def grey_tiffs() -> Iterator[Case]:
    for photometric, values in (("minisblack", GREY), ("miniswhite", 1 - GREY)):
        for bits in (8, 16, 32):
            for order in "<>":
                data = tiff(
                    np.asarray(integers(values, bits)), photometric=photometric, byteorder=order
                )
                extra = bits > 8 and (photometric, order) != ("minisblack", "<")
                extra &= (photometric, bits, order) not in _HELD_BY_PILLOW
                name = f"tiff grey {photometric} uint{bits} {order}"
                yield Case(name, data, GREY, extra=extra)
        for kind in (np.float16, np.float32, np.float64):
            data = tiff(values.astype(kind), photometric=photometric)
            name = f"tiff grey {photometric} {np.dtype(kind).name}"
            yield Case(name, data, GREY, extra=kind is not np.float32)
        for bits in (1, 2, 4):
            coarse = np.rint(GREY * (2**bits - 1)) / (2**bits - 1)
            shares = coarse if photometric == "minisblack" else 1 - coarse
            kind_of = bool if bits == 1 else np.uint8
            raw = np.rint(shares * (2**bits - 1)).astype(kind_of)
            data = tiff(
                raw, photometric=photometric, **({} if bits == 1 else {"bitspersample": bits})
            )
            yield Case(f"tiff grey {photometric} uint{bits}", data, coarse)
        for bits in (10, 12, 14):
            data = tiff(integers(values, bits), photometric=photometric, bitspersample=bits)
            extra = (photometric, bits) != ("minisblack", 12)
            yield Case(f"tiff grey {photometric} packed uint{bits}", data, GREY, extra=extra)
            told = [(281, "H", 1, 2**bits - 1, True)]
            data = tiff(integers(values, bits), photometric=photometric, extratags=told)
            yield Case(f"tiff grey {photometric} uint{bits} in 16", data, GREY)
            told = [(341, "H", 1, 2**bits - 1, True)]
            data = tiff(integers(values, bits), photometric=photometric, extratags=told)
            yield Case(f"tiff grey {photometric} uint{bits} in 16, by SMaxSampleValue", data, GREY)
            described = f'<OME><Pixels SignificantBits="{bits}" Type="uint16"/></OME>'
            data = tiff(integers(values, bits), photometric=photometric, description=described)
            yield Case(f"tiff grey {photometric} uint{bits} in 16, by OME-XML", data, GREY)
    for bits in (8, 16, 32):
        signed = np.rint(GREY * (2 ** (bits - 1) - 1)).astype(f"i{bits // 8}")
        yield Case(f"tiff grey int{bits}", tiff(signed), GREY, extra=bits == 8)
    yield Case("tiff grey int32 of 8 bits", tiff(integers(GREY, 8).astype(np.int32)), GREY)
    yield Case("tiff grey int32 of 16 bits", tiff(integers(GREY, 16).astype(np.int32)), GREY)
    for white in (1, 255, 65535):
        hot = (GREY * white).astype(np.float32)
        hot[4, 4] = 40 * white
        shown = GREY.copy()
        shown[4, 4] = 1
        yield Case(f"tiff grey float32 to {white}, one over", tiff(hot), shown, notes=1)
    hot32 = integers(GREY, 16).astype(np.int32)
    hot32[4, 4] = 2**31 - 1
    yield Case("tiff grey int32, one over", tiff(hot32), shown, notes=1)
    for bits in (8, 16):
        for premultiplied in (False, True):
            shares = GREY * ALPHA if premultiplied else GREY
            both = integers(np.stack([shares, ALPHA], axis=2), bits)
            data = tiff(
                both,
                extrasamples=["assocalpha" if premultiplied else "unassalpha"],
                planarconfig="contig",
            )
            name = f"tiff grey and alpha uint{bits}{' premultiplied' * premultiplied}"
            yield Case(name, data, GREY, ALPHA, extra=bits == 16, tolerance=0.02)


def rgb_tiffs() -> Iterator[Case]:
    kinds: dict[str, Values] = {
        "uint8": integers(RGB, 8),
        "uint16": integers(RGB, 16),
        "uint32": integers(RGB, 32),
        "float16": RGB.astype(np.float16),
        "float32": RGB.astype(np.float32),
        "float64": RGB,
        "float32 to 255": (RGB * 255).astype(np.float32),
        "float32 to 65535": (RGB * 65535).astype(np.float32),
    }
    for name, values in kinds.items():
        deep = name not in ("uint8", "uint16")
        for planar in ("contig", "separate"):
            laid = values if planar == "contig" else np.moveaxis(values, 2, 0).copy()
            for compression in (None, "deflate", "lzw"):
                for predictor in (False, True) if compression else (False,):
                    data = tiff(
                        laid,
                        photometric="rgb",
                        planarconfig=planar,
                        compression=compression,
                        predictor=predictor,
                        rowsperstrip=4,
                    )
                    label = f"tiff rgb {name} {planar} {compression}{' predictor' * predictor}"
                    separate = planar == "separate" and name != "uint8"
                    yield Case(label, data, RGB, extra=deep or separate)
    for name in ("uint8", "uint16", "float32"):
        for kind in ("unassalpha", "assocalpha", "unspecified"):
            colors = RGB * ALPHA[:, :, None] if kind == "assocalpha" else RGB
            four = np.dstack([colors, ALPHA])
            values = four.astype(np.float32) if name == "float32" else integers(four, int(name[4:]))
            data = tiff(values, photometric="rgb", extrasamples=[kind])
            alpha = None if kind == "unspecified" else ALPHA
            yield Case(
                f"tiff rgb {name} {kind}", data, RGB, alpha, extra=name == "float32", tolerance=0.02
            )
    for order in "<>":
        for big in (False, True):
            for name in ("uint8", "uint16", "float32"):
                data = tiff(
                    kinds[name], photometric="rgb", byteorder=order, bigtiff=big, tile=(16, 16)
                )
                label = f"tiff rgb {name} tiled {order}{' big' * big}"
                yield Case(label, data, RGB, extra=name == "float32" or (big and order == ">"))
    for bits in (10, 12, 14):
        data = tiff(integers(RGB, bits), photometric="rgb", bitspersample=bits)
        yield Case(f"tiff rgb packed uint{bits}", data, RGB, extra=True)
        told = [(281, "H", 3, (2**bits - 1,) * 3, True)]
        data = tiff(integers(RGB, bits), photometric="rgb", extratags=told)
        yield Case(f"tiff rgb uint{bits} in 16", data, RGB)
    for bits in (8, 16):
        data = tiff(integers(CMYK, bits), photometric="separated")
        yield Case(f"tiff cmyk uint{bits}", data, CMYK_RGB, tolerance=0.02)
    hot = RGB.astype(np.float32)
    hot[4, 4] = 1000
    shown = RGB.copy()
    shown[4, 4] = 1
    data = tiff(hot, photometric="rgb")
    yield Case("tiff rgb float32, one over", data, shown, notes=1, extra=True)
