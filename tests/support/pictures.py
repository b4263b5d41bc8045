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


def integers(values: Values, bits: int) -> Values:
    """Shares of white as integers of `bits`."""
    kind = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
    return np.rint(values * (2**bits - 1)).astype(kind)


def tiff(pixels: Values, *, photometric: str | int = "minisblack", **options: Any) -> bytes:
    """A TIFF of one page."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(
        buffer, byteorder=options.pop("byteorder", "<"), bigtiff=options.pop("bigtiff", False)
    ) as file:
        file.write(pixels, photometric=photometric, metadata=None, **options)
    return buffer.getvalue()


def _grey_tiffs() -> Iterator[Case]:
    for photometric, values in (("minisblack", GREY), ("miniswhite", 1 - GREY)):
        for bits in (8, 16, 32):
            for order in "<>":
                data = tiff(
                    np.asarray(integers(values, bits)), photometric=photometric, byteorder=order
                )
                yield Case(f"tiff grey {photometric} uint{bits} {order}", data, GREY)
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
            yield Case(f"tiff grey {photometric} packed uint{bits}", data, GREY, extra=True)
            told = [(281, "H", 1, 2**bits - 1, True)]
            data = tiff(integers(values, bits), photometric=photometric, extratags=told)
            yield Case(f"tiff grey {photometric} uint{bits} in 16", data, GREY)
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
                yield Case(label, data, RGB, extra=name == "float32")
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
            both = half + chunk(b"sRGB", b"\0")
            yield Case(f"{what} gAMA 1 under sRGB", png(raw, depth, color, both), values)
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
        for kind, values, alpha in (
            (b"GRAYSCALE", GREY[:, :, None], None),
            (b"GRAYSCALE_ALPHA", np.dstack([GREY, ALPHA]), ALPHA),
            (b"RGB", RGB, None),
            (b"RGB_ALPHA", np.dstack([RGB, ALPHA]), ALPHA),
        ):
            head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n" % (
                *(WIDTH, HEIGHT, values.shape[2], most, kind),
            )
            data = np.rint(values * most).astype(np.uint8 if most < 256 else ">u2").tobytes()
            shown = GREY if kind.startswith(b"GRAY") else RGB
            yield Case(f"pam {kind.decode()} to {most}", head + data, shown, alpha)


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
