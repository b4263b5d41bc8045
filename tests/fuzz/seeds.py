"""What mutation starts from: small files that are right, and some that are meant to do harm."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageDraw
from support.films import make_animation, make_film
from support.pictures import cases

_README = Path(__file__).parent.parent.parent / "README.md"
_EXAMPLE = _README.with_name("config.example.yaml")

SIDECARS = (
    b"content: beach.jpg\nstyle: starry.jpg\n",
    b"content: ../a/b.png\nstyle: {image: x, weight: 0.5, scale: 1.2, region: r.png}\n",
    b"content: a.jpg\nstyle:\n  - image: b.jpg\n    mask: m.png\n  - {image: c, weight: 2}\n"
    b"init: i.png\nseries: [a.jpg, d.jpg]\n",
    b"content: a\nstyle: b\noutput: {name: out, size: 1024, format: webp}\npriority: 80\n"
    b"timeout: 30m\nbackend: gatys\noptions: {network: fixed, preset: fine, seed: 7,"
    b" content_weight: 0.02, colors: luminance, strength: 0.7, budget: 60s, tile: 256}\n",
    b"content: [a.jpg, b.jpg]\nstyles: [c.jpg, [d.jpg, {image: e.jpg, weight: 2}]]\n"
    b"options: {style_weight: [0.5, 1, 2], style_layers: [x]}\noutput: {name: studies}\n",
    b"content: a\nstyle: b\n"
    b"batch: {id: 20260101-120000-abcdef, name: s, index: 0, of: 2, axes: {}}\n",
    b"content: \"caf\\u00e9.jpg\"\nstyle: 'it''s'\n",
)
CONFIGS = (
    b"folders: {inbox: in, outbox: /srv/out, work: ~/work}\nwatch: {mode: poll, settle: 2s}\n",
    b"devices: [cpu]\nslots: {cpu: 2}\njobs: {backend: gatys, pictures: archive, attempts: 2}\n"
    b"limits: {picture_pixels: 1000, picture_bytes: 1MiB}\nlog: {size: 1MiB, keep: 3}\n",
    b"backends: {gatys: {preset: fine, network: fixed}}\nworkers: {stall: 1h, grace: 5s}\n",
)
_SMALL = 20_000
YAML_TOKENS = tuple(
    b"&a |*a |<<: |? |- |: |{|}|[|]|,|'|\"|!!python/object:os.system |!x |#|%YAML 1.1\n|---\n|...\n"
    b"|\t|\r\n|\0|\x1b[2J|\xff|\xef\xbb\xbf|9999999999999999999|1e999|.nan|.inf|-1|0|0x1f|1:30|~"
    b"|true|no|../|../../../../etc/passwd|/etc/passwd|//|./|content: |style: |image: |options: "
    b"|series: |output: |name: |folders: |inbox: |\\|>|=|\\ud800|\\U0010ffff".split(b"|")
) + tuple(text.encode() for text in ("\u202e", "\u2028", "\ufeff", "e\u0301", "\U0001f5bc", "|"))
PICTURE_TOKENS = (
    *(
        struct.pack(form, number)
        for form in (">I", "<I")
        for number in (0, 1, 2**31 - 1, 2**32 - 1)
    ),
    *(struct.pack(form, number) for form in (">H", "<H") for number in (0, 1, 255, 32767, 65535)),
    *(b"IHDR", b"IDAT", b"iCCP", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"tRNS", b"eXIf", b"PLTE"),
    *(b"\xff\xd8", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xe1", b"\xff\xe2", b"Exif\0\0"),
    *(b"gAMA", b"cHRM", b"cICP", b"sRGB", b"colr", b"nclx", b"ipma", b"ICC_PROFILE\0\1\1"),
    *(b"P5", b"P6", b"P7", b"PF", b"Pf", b"MAXVAL 65535", b"TUPLTYPE RGB_ALPHA", b"ENDHDR\n"),
    *(struct.pack("<HHI", tag, 3, 1) for tag in (258, 259, 262, 277, 284, 317, 338, 339)),
    *(b"VP8X", b"VP8L", b"ALPH", b"ANIM", b"ICCP", b"EXIF", b"II*\0", b"MM\0*", b"\0\0\0\0"),
)


FILMS = (
    ("mp4", "libx264", "yuv420p", "aac"),
    ("mp4", "mpeg4", "yuv420p", None),
    ("mov", "qtrle", "argb", "pcm_s16le"),
    ("mov", "prores_ks", "yuva444p10le", None),
    ("mkv", "libx264", "yuv444p", "flac"),
    ("mkv", "mjpeg", "yuvj420p", None),
    ("webm", "libvpx-vp9", "yuva420p", "libopus"),
    ("webm", "libvpx", "yuv420p", None),
    ("avi", "mpeg4", "yuv420p", "libmp3lame"),
)
"""Suffix, encoder, format of pixels, encoder of sound."""
FILM_TOKENS = tuple(
    b"moov|trak|mdia|minf|stbl|stsd|stts|stsz|stsc|stco|elst|tkhd|mdhd|moof|traf|trun|mdat|free"
    b"|cmov|ftyp|qt  |avis|\x1aE\xdf\xa3|\x18S\x80g|\x1fC\xb6u|\xae|\xa3|\xe0|\xb0|RIFF|AVI "
    b"|hdrl|strf|movi|idx1|NETSCAPE2.0|!\xf9\x04|,|;|\xff\xff\xff\xff\xff\xff\xff\xff".split(b"|")
)


def drawn(mode: str = "RGB", size: tuple[int, int] = (37, 23)) -> Image.Image:
    """A gradient with shapes on it, and grain that compresses badly."""
    width, height = size
    grain = np.random.default_rng(3).integers(0, 40, (height, width, 3))
    ramp = np.linspace(0, 215, width)[None, :, None] + grain
    image = Image.fromarray(ramp.astype(np.uint8))
    ImageDraw.Draw(image).ellipse((5, 3, 20, 18), fill="orange")
    return image.convert(mode)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, color: int, *more: bytes, depth: int = 8) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IEND", b"")


def polyglots() -> dict[str, bytes]:
    """Files that are two things at once."""
    png, jpeg = saved(drawn(), "PNG"), saved(drawn(), "JPEG")
    script = b"#!/bin/sh\ntouch /tmp/nstd-was-here\nexit\n"
    return {
        "png and zip": png + b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18),
        "jpeg and html": jpeg[:2] + b"\xff\xfe\0\x1a<script>alert(1)</script>" + jpeg[2:],
        "gif and script": b"GIF89a=1;//" + script,
        "png in jpeg": jpeg + png,
        "script and png": script + png,
        "pdf and jpeg": b"%PDF-1.4\n" + jpeg,
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
    }


@cache
def pictures() -> tuple[bytes, ...]:
    """Small pictures of every format and mode that is opened, and what is odd about some."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [drawn()], "duration": 40}
    made = [
        *(saved(drawn(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        saved(drawn(), "PNG", icc_profile=profile, exif=exif),
        saved(drawn(), "JPEG", icc_profile=profile, exif=exif),
        *(saved(drawn(mode), "JPEG") for mode in ("L", "CMYK")),
        saved(drawn(), "JPEG", progressive=True),
        *(
            saved(drawn(), "TIFF", compression=each)
            for each in ("raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits")
        ),
        *(saved(drawn(mode), "TIFF") for mode in ("F", "I;16", "CMYK", "LAB")),
        saved(drawn("1"), "TIFF", compression="group4"),
        saved(drawn(), "WEBP", lossless=True),
        saved(drawn("RGBA"), "WEBP", exif=exif, icc_profile=profile),
        *(saved(drawn(), form) for form in ("BMP", "GIF", "PPM")),
        *(saved(drawn(), form, **frames) for form in ("GIF", "WEBP", "PNG")),
        *polyglots().values(),
        *[case.data for case in cases() if len(case.data) < _SMALL][::3],
    ]
    return tuple(made)


@cache
def films() -> tuple[bytes, ...]:
    """A small film of each kind that is read."""
    with tempfile.TemporaryDirectory(prefix="nstd-fuzz-") as folder:
        made = []
        for number, (suffix, codec, pixels, sound) in enumerate(FILMS):
            path = Path(folder) / f"{number}.{suffix}"
            make_film(path, 4, codec, pixels=pixels, sound=sound, size=(32, 24))
            made.append(path.read_bytes())
        for suffix in ("gif", "webp", "png", "avif"):
            path = make_animation(Path(folder) / f"a.{suffix}", [40, 0, 70], size=(23, 17))
            made.append(path.read_bytes())
        clear = make_animation(Path(folder) / "b.gif", [40, 40], size=(23, 17), alpha=True)
        return (*made, clear.read_bytes())


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    """The seeds of the target."""
    if target == "image":
        return pictures()
    if target == "film":
        return films()
    texts = SIDECARS if target == "sidecar" else (*CONFIGS, _EXAMPLE.read_bytes())
    return tuple(texts)


def tokens(target: str) -> tuple[bytes, ...]:
    """What a mutation may write into a file of the target."""
    given = {"image": PICTURE_TOKENS, "film": (*PICTURE_TOKENS, *FILM_TOKENS)}
    return given.get(target, YAML_TOKENS)
