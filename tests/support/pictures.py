"""Picture files of every kind, made by other means than Pillow, and what each of them shows.

TIFFs come from tifffile, AVIF and deep or lossless JPEGs from imagecodecs; PNG, BMP, Netpbm and
GIF are written byte by byte. The values of the picture are multiples of 1/15, which 4, 8, 12 and
16 bits hold exactly.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

Values = NDArray[Any]

HEIGHT, WIDTH = 11, 19
_X, _Y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
RGB = np.stack([_X % 16, (_Y + 3) % 16, (_X + 2 * _Y) % 16], axis=2) / 15
GREY = ((_X + 3 * _Y) % 16) / 15
CMYK = np.stack([_X % 16, (_Y + 3) % 16, (_X + _Y) % 16, (_X * 0 + 3)], axis=2) / 15
ALPHA = np.array([0, 3, 9, 15, 15])[_X // 4] / 15
"""In blocks, so that a soft edge and a hard one are in it."""
CMYK_RGB = (1 - CMYK[:, :, :3]) * (1 - CMYK[:, :, 3:])


@dataclass(frozen=True)
class Case:
    """A file, and the picture that it holds: (height, width, 3) or grey, sRGB, in [0, 1]."""

    name: str
    data: bytes
    shown: Values
    alpha: Values | None = None
    tolerance: float = 1.01 / 255
    notes: int = 0
    extra: bool = False
    """Whether it is read by the extra `tiff` alone."""


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _grey_tiffs()
    yield from _rgb_tiffs()
    yield from _tagged_tiffs()
    yield from _pngs()
    yield from _netpbms()
    yield from _bmps()
    yield from _avifs()
    yield from _others()
    yield from _profiled()


def integers(values: Values, bits: int) -> Values:
    """Shares of white as integers of `bits`."""
    kind = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
    made: Values = np.rint(values * (2**bits - 1)).astype(kind)
    return made


def tiff(pixels: Values, *, photometric: str | int = "minisblack", **options: Any) -> bytes:
    """A TIFF of one page."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(
        buffer, byteorder=options.pop("byteorder", "<"), bigtiff=options.pop("bigtiff", False)
    ) as file:
        file.write(pixels, photometric=photometric, metadata=None, **options)
    return buffer.getvalue()


_HELD_BY_PILLOW = (("minisblack", 16, ">"), ("miniswhite", 16, "<"))


def _grey_tiffs() -> Iterator[Case]:
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


def _rgb_tiffs() -> Iterator[Case]:
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


def _tagged_tiffs() -> Iterator[Case]:
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
                extra = laid == "separate" and depth == 16
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
    for kind in (np.uint64, np.int64):
        for many in (8, 16):
            data = tiff(integers(RGB, many).astype(kind), photometric="rgb")
            yield Case(f"tiff rgb {np.dtype(kind).name} of {many} bits", data, RGB, extra=True)
    lab = np.dstack([GREY * 255, 0 * GREY, 0 * GREY]).astype(np.uint8)
    yield Case("tiff lab uint8", tiff(lab, photometric="cielab"), lightness(GREY), tolerance=0.02)


def lightness(share: Values) -> Values:
    """The sRGB grey of CIE lightness 100 times `share`."""
    f = (100 * share + 16) / 116
    return encoded(np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)))


def with_tag(
    data: bytes, tag: int, *, number: int | None = None, value: int | None = None
) -> bytes:
    """A little-endian TIFF of one page, one of its tags with another number or short value."""
    made = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            if number is not None:
                struct.pack_into("<H", made, entry, number)
            if value is not None:
                struct.pack_into("<H", made, entry + 8, value)
    return bytes(made)


def turned(pixels: Values, orientation: int) -> Values:
    """How a viewer shows stored `pixels` of this EXIF orientation."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}
    return np.flip(pixels, flips.get(orientation, ()))


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


def _pngs() -> Iterator[Case]:
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


P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
"""White, red, green and blue of Display P3."""
P3_TO_SRGB = np.array(
    [[1.22494, -0.22494, 0], [-0.04206, 1.04206, 0], [-0.01964, -0.07864, 1.09827]]
)
"""As CSS Color 4 has it, by way of XYZ."""


def encoded(light: Values) -> Values:
    """Linear light as sRGB (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def linear(values: Values) -> Values:
    """The inverse."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _netpbms() -> Iterator[Case]:
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


def _rows(pixels: Values) -> bytes:
    """From the bottom up, each a multiple of four bytes."""
    return b"".join((line := row.tobytes()) + bytes(-len(line) % 4) for row in pixels[::-1])


def _bmps() -> Iterator[Case]:
    blue_first = integers(RGB[:, :, ::-1], 8)
    yield Case("bmp 24", bmp(24, _rows(blue_first)), RGB)
    four = np.dstack([blue_first, integers(ALPHA, 8)])
    yield Case("bmp 32", bmp(32, _rows(four)), RGB)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    v4 = masks + b"BGRs" + bytes(48)
    data = bmp(32, _rows(four), compression=3, head=v4, size=108)
    yield Case("bmp 32 with alpha", data, RGB, ALPHA)
    indices = integers(GREY, 4)
    palette = b"".join(bytes([17 * each] * 3) + b"\0" for each in range(16)) + bytes(240 * 4)
    yield Case("bmp 8", bmp(8, _rows(indices), head=palette), GREY)
    five = (np.rint(RGB * 31).astype(np.uint16) << np.array([10, 5, 0], np.uint16)).sum(
        axis=2, dtype=np.uint16
    )
    yield Case("bmp 16", bmp(16, _rows(five)), np.rint(RGB * 31) / 31, tolerance=0.01)


def avif(values: Values, bits: int, **color: Any) -> bytes:
    """A lossless AVIF."""
    return bytes(
        imagecodecs.avif_encode(
            integers(values, bits), level=100, pixelformat="444", bitspersample=bits, **color
        )
    )


def _avifs() -> Iterator[Case]:
    for bits in (8, 10, 12):
        yield Case(f"avif rgb {bits}", avif(RGB, bits), RGB, tolerance=0.02)
        data = avif(np.dstack([RGB, ALPHA]), bits)
        yield Case(f"avif rgb and alpha {bits}", data, RGB, ALPHA, tolerance=0.02)
        wide = avif(RGB, bits, primaries=12, transfer=13)
        shown = encoded(np.clip(linear(RGB) @ P3_TO_SRGB.T, 0, 1))
        yield Case(f"avif rgb {bits} nclx P3", wide, shown, tolerance=0.03)
        light = avif(RGB, bits, primaries=1, transfer=8)
        yield Case(f"avif rgb {bits} nclx linear", light, encoded(RGB), tolerance=0.05)


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


def _others() -> Iterator[Case]:
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


def _profiled() -> Iterator[Case]:
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
            coarse = 0.06 if name == "uint8" else 0.02
            yield Case(label, data, shown, extra=extra, tolerance=coarse)
    for depth in (1, 2, 4, 8, 16):
        levels = np.rint(GREY * (2**depth - 1))
        iccp = chunk(b"iCCP", b"grey\0\0" + zlib.compress(grey))
        data = png(levels.astype(np.uint16), depth, 0, iccp)
        shown = encoded(levels / (2**depth - 1))
        yield Case(f"png grey {depth} with a profile", data, shown, tolerance=0.02)
    for depth in (8, 16):
        iccp = chunk(b"iCCP", b"swapped\0\0" + zlib.compress(swapped))
        for color, values in ((2, RGB), (6, np.dstack([RGB, ALPHA]))):
            data = png(integers(values, depth), depth, color, iccp)
            alpha = ALPHA if color == 6 else None
            label = f"png {'rgb and alpha' if alpha is not None else 'rgb'} {depth} with a profile"
            yield Case(label, data, light_rgb, alpha, tolerance=0.02)
        both = integers(np.dstack([GREY, ALPHA]), depth)
        iccp = chunk(b"iCCP", b"grey\0\0" + zlib.compress(grey))
        label = f"png grey and alpha {depth} with a profile"
        yield Case(label, png(both, depth, 4, iccp), light, ALPHA, tolerance=0.02)
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
    yield Case("webp rgb with a profile", data, light_rgb, tolerance=0.02)
    gif = bytes(imagecodecs.gif_encode(integers(GREY, 8)))
    table = 13 + (3 << (1 + (gif[10] & 7)))
    blocks = b"".join(
        bytes([len(swapped[at : at + 255])]) + swapped[at : at + 255]
        for at in range(0, len(swapped), 255)
    )
    gif = b"GIF89a" + gif[6:table] + b"!\xff\x0bICCRGBG1012" + blocks + b"\0" + gif[table:]
    yield Case("gif with a profile", gif, light, tolerance=0.02)
    rows = _rows(integers(RGB[:, :, ::-1], 8))
    head = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0) + b"DEBM" + bytes(48)
    head += struct.pack("<IIII", 0, 124 + len(rows), len(swapped), 0)
    yield Case(
        "bmp 24 with a profile",
        bmp(24, rows, head=head, size=124) + swapped,
        light_rgb,
        tolerance=0.02,
    )


def _app2(data: bytes) -> bytes:
    """The segment of a JPEG that holds a short profile."""
    body = b"ICC_PROFILE\0\x01\x01" + data
    return b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
