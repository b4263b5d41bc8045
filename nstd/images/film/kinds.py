"""Which files and folders are films, and of what kind; by their bytes, not by their names.

Uses only the standard library: the daemon asks too. Reading is bounded, whatever a file contains.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from nstd.images.film.boxes import most_samples
from nstd.images.film.frame_names import has_frames
from nstd.images.png_chunks import png_chunks

FilmKind = Literal[
    "gif", "webp", "apng", "avif", "mp4", "mov", "mkv", "webm", "avi", "frames", "still"
]
"""What a film can be; `frames` is a folder of numbered pictures, `still` one picture that is shown
for a while, which no file says of itself."""
FilmFormat = Literal["mp4", "webm", "gif", "webp", "apng", "frames"]
"""What a film can be written as."""

_FORMATS: dict[FilmKind, FilmFormat] = {
    "gif": "gif",
    "webp": "webp",
    "apng": "apng",
    "avif": "webp",
    "mp4": "mp4",
    "mov": "mp4",
    "mkv": "mp4",
    "webm": "webm",
    "avi": "mp4",
    "frames": "frames",
}
SUFFIXES: dict[FilmFormat, str] = {
    "mp4": ".mp4",
    "webm": ".webm",
    "gif": ".gif",
    "webp": ".webp",
    "apng": ".png",
    "frames": "",
}
"""The ends of the names of written films; that of an animated PNG is `.png`, for browsers."""

_HEAD = 4096
_STEPS = 1 << 18
"""The most blocks, chunks or boxes of one file that are looked at."""
_NO_FILMS = frozenset(
    (
        b"avif heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1 avci avcs "
        b"jpeg crx jp2 jpx jxl"
    ).split()
)
"""Brands of still pictures in the container of MP4."""


def film_kind(path: Path) -> FilmKind | None:
    """The kind of the film at `path`; None for a still picture, and for anything else.

    A GIF, WebP, PNG or AVIF of one frame is a still picture. A folder is a film if it contains a
    picture with a number in its name. Follows no link, and never raises OSError: a file that
    cannot be read is no film.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            return "frames" if has_frames(path) else None
        if not stat.S_ISREG(mode):
            return None
        with _open(path) as file:
            return film_kind_of(file)
    except OSError:
        return None


def output_format(kind: FilmKind) -> FilmFormat:
    """The format in which a film of this kind comes out, unless another one is asked for."""
    return _FORMATS[kind]


def film_kind_of(file: BinaryIO) -> FilmKind | None:
    """The kind of an open file, which must allow seeking; None if it is no film."""
    head = file.read(_HEAD)
    if head[4:8] == b"ftyp":
        return _of_brands(file, head)
    for kind, magic, check in _CHECKS:
        if head.startswith(magic):
            return kind if check(file) else None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp" if _is_moving_webp(file) else None
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return _of_doctype(head)
    return "mov" if head[4:8] in (b"moov", b"mdat", b"wide") else None


def _open(path: Path) -> BinaryIO:
    """Open a file; if it has become a link or FIFO, it is neither followed nor waited for."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _of_brands(file: BinaryIO, head: bytes) -> FilmKind | None:
    brand, brands = head[8:12], head[8 : int.from_bytes(head[:4])]
    if b"avis" in brands:
        return "avif" if most_samples(file) > 1 else None
    if brand.strip() in _NO_FILMS:
        return None
    return "mov" if brand == b"qt  " else "mp4"


def _of_doctype(head: bytes) -> FilmKind | None:
    """Matroska or WebM, by the element DocType (RFC 8794, 11.2.7)."""
    at = head.find(b"\x42\x82")
    name = head[at + 3 : at + 3 + (head[at + 2] & 0x7F)] if 0 < at < len(head) - 3 else b""
    if name.rstrip(b"\0") == b"webm":
        return "webm"
    return "mkv" if name.rstrip(b"\0") == b"matroska" else None


def _is_moving_gif(file: BinaryIO) -> bool:
    """Whether a second image follows the first."""
    images = (block for block in gif_blocks(file) if block == b",")
    return next(images, None) is not None and next(images, None) is not None


def gif_blocks(file: BinaryIO) -> Iterator[bytes]:
    """The first byte of each block: `,` an image, `!` an extension, `;` the end.

    Ends early at a block that is cut short, or none.
    """
    file.seek(10)
    flags = file.read(3)[:1]
    file.seek(_size_of_table(flags), io.SEEK_CUR)
    for _ in range(_STEPS):
        block = file.read(1)
        if block not in (b",", b"!", b";") or not block:
            return
        yield block
        if block == b";":
            return
        if block == b",":
            descriptor = file.read(9)
            file.seek(_size_of_table(descriptor[8:]) + 1, io.SEEK_CUR)
        else:
            file.seek(1, io.SEEK_CUR)
        if not _skip_sub_blocks(file):
            return


def _size_of_table(flags: bytes) -> int:
    """The bytes of the colour table that flags announce (GIF 89a, sections 18 and 20)."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _skip_sub_blocks(file: BinaryIO) -> bool:
    """Go behind the terminator; False if there is none."""
    for _ in range(_STEPS):
        length = file.read(1)
        if length in (b"", b"\0"):
            return bool(length)
        file.seek(length[0], io.SEEK_CUR)
    return False


def _is_moving_png(file: BinaryIO) -> bool:
    """Whether a chunk acTL before the pixels announces at least two frames (PNG, 11.3.6)."""
    for chunk in png_chunks(file):
        if chunk.name == b"acTL":
            file.seek(chunk.start)
            return int.from_bytes(file.read(4)) > 1
        if chunk.name == b"IDAT":
            return False
    return False


def _is_moving_webp(file: BinaryIO) -> bool:
    """Whether it contains at least two chunks ANMF (RFC 9649, 2.7)."""
    at, frames = 12, 0
    for _ in range(_STEPS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return False
        frames += head[:4] == b"ANMF"
        if frames == 2:
            return True
        length = int.from_bytes(head[4:], "little")
        at += 8 + length + length % 2
    return False


_CHECKS: tuple[tuple[FilmKind, bytes, Callable[[BinaryIO], bool]], ...] = (
    ("gif", b"GIF8", _is_moving_gif),
    ("apng", b"\x89PNG\r\n\x1a\n", _is_moving_png),
)
