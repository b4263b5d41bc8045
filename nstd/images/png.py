"""PNG: chunks that Pillow ignores, all 16 bits of values, and limits on large texts."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nstd.images.levels import to_shares
from nstd.images.model import Array, Stored
from nstd.images.pillow import Opener, orientation_of, set_raw_mode, sixteen_bits
from nstd.images.png_chunks import MOST_CHUNKS, png_chunks
from nstd.images.space import Space, space_of_code_points, space_of_gamma
from nstd.images.spliced import Part, Spliced

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_READ = (b"tRNS", b"sBIT", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"iCCP")
_TEXT_BYTES = 1 << 20
"""The most bytes of unpacked text passed to Pillow, which refuses a picture with more text."""
_PROFILE_BYTES = 16 << 20
_CHUNK_BYTES = 64 << 20
_GREY, _RGB, _GREY_ALPHA, _RGBA = 0, 2, 4, 6


@dataclass
class Chunks:
    """The header of a PNG, the first chunk of each name of `_READ`, and where to cut.

    `parts` are the parts of the file, start and end, that are passed to Pillow.
    """

    depth: int = 8
    color: int = _RGB
    data: dict[bytes, bytes] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)


def read_png(file: BinaryIO, open_image: Opener) -> Stored:
    """The picture in `file`, which Pillow opens by `open_image`."""
    chunks = _chunks(file)
    view = cast(BinaryIO, Spliced(file, chunks.parts)) if len(chunks.parts) > 1 else file

    def reopen() -> Image.Image:
        view.seek(0)
        return open_image(view)

    profile, space = _colors(chunks.data)
    with reopen() as image:
        if chunks.depth == 16 and chunks.color in (_GREY, _RGB, _GREY_ALPHA, _RGBA):
            values, alpha = _deep(chunks, image, reopen)
            # Pillow decodes a picture when its orientation is read
            return Stored(None, values, alpha, profile, space, orientation_of(image))
        key = image.info.get("transparency")
        if isinstance(key, int) and image.mode == "L":  # not yet scaled as the pixels are
            image.info["transparency"] = key * 255 // (2**chunks.depth - 1)
        image.load()
        return Stored(image, profile=profile, space=space, orientation=orientation_of(image))


def colors_of_png(file: BinaryIO) -> tuple[bytes | None, Space | None]:
    """The profile or the space of the picture in `file`; see `Stored`."""
    return _colors(_chunks(file).data)


def _chunks(file: BinaryIO) -> Chunks:
    """Read the chunks of the whole `file`; broken ones are left for Pillow to report."""
    found, texts, start = Chunks(), _TEXT_BYTES, 0
    end = file.seek(0, io.SEEK_END)
    for number, (name, begin, stop) in enumerate(png_chunks(file), 1):
        length, at, after = stop - begin, begin - 8, stop + 4
        if after > end or name == b"IEND":
            break
        if number == MOST_CHUNKS:
            raise ValueError(f"more than {MOST_CHUNKS:,} chunks")
        file.seek(begin)
        cut = name == b"iCCP"
        if name == b"IHDR" and length >= 13:
            found.depth, found.color = struct.unpack(">8x2B", file.read(10))
        elif name in _READ and length <= _CHUNK_BYTES:
            found.data.setdefault(name, file.read(length))
        elif name in _TEXTS:
            texts -= _text_size(name, file, length, texts)
            cut = texts < 0
        if cut:
            found.parts.append((start, at))
            start = after
    found.parts.append((start, end))
    return found


def _text_size(name: bytes, file: BinaryIO, length: int, most: int) -> int:
    """The size of a text when unpacked, in bytes; a number above `most` if it is larger."""
    if length > most:
        return most + 1
    if name == b"tEXt" or most < 0:
        return length
    keyword, _, rest = file.read(length).partition(b"\0")
    if name == b"iTXt":
        if rest[:1] != b"\1":
            return length
        rest = rest[1:].split(b"\0", 2)[-1]
    return len(keyword) + len(_unpacked(rest[1:], most + 1) or b"")


def _unpacked(data: bytes, most: int) -> bytes | None:
    """The unpacked data, at most `most` bytes; None if it is broken."""
    try:
        return zlib.decompressobj().decompress(data, most)
    except zlib.error:
        return None


def _colors(data: dict[bytes, bytes]) -> tuple[bytes | None, Space | None]:
    """The profile or the space, in the order of PNG, third edition, 4.3: the first that is there.

    These are cICP, iCCP, sRGB, and gAMA with cHRM.
    """
    if len(cicp := data.get(b"cICP", b"")) == 4:
        primaries, transfer, _, full = cicp
        return None, space_of_code_points(primaries, transfer, full=bool(full))
    if (iccp := data.get(b"iCCP")) is not None:
        _, _, packed = iccp.partition(b"\0")
        profile = _unpacked(packed[1:], _PROFILE_BYTES + 1)
        return profile if profile and len(profile) <= _PROFILE_BYTES else b"", None
    if b"sRGB" in data:
        return None, None
    gamma = primaries_of = None
    if len(gama := data.get(b"gAMA", b"")) == 4:
        gamma = struct.unpack(">I", gama)[0] / 100_000
    if len(chrm := data.get(b"cHRM", b"")) == 32:
        primaries_of = tuple(each / 100_000 for each in struct.unpack(">8I", chrm))
    return None, space_of_gamma(gamma, primaries_of)


def _deep(
    chunks: Chunks, image: Image.Image, reopen: Callable[[], Image.Image]
) -> tuple[Array, Array | None]:
    """The values and the alpha of a picture with 16 bits per channel, with all bits."""
    image.info.pop("transparency", None)
    if chunks.color == _GREY:
        samples = np.asarray(image)[:, :, None]
    elif chunks.color == _GREY_ALPHA:
        set_raw_mode(image, "RGBA")  # the four bytes of a pixel
        samples = np.asarray(image).view(">u2")
    else:
        samples = sixteen_bits(image, reopen)
    colors = samples.shape[2] - (chunks.color in (_GREY_ALPHA, _RGBA))
    white = _white(chunks.data.get(b"sBIT", b"")[:colors], samples[:, :, :colors])
    values, _ = to_shares(samples[:, :, :colors], 16, white=white)
    if colors < samples.shape[2]:
        return values, to_shares(samples[:, :, colors], 16)[0]
    key = chunks.data.get(b"tRNS", b"")
    if len(key) != 2 * colors:
        return values, None
    other = samples != np.frombuffer(key, ">u2")
    return values, other.any(axis=2).astype(np.float32)


def _white(significant: bytes, samples: NDArray[Any]) -> int | None:
    """The value of white in a file whose values were not scaled to 16 bits; else None.

    sBIT says how many bits the values have. They should be scaled to 16 bits, with empty lowest
    bits in all dark values, but measuring programs often do not scale them.
    """
    if len(set(significant)) != 1 or not 8 < significant[0] < 16:
        return None
    white = 2 ** significant[0] - 1
    lowest = 2 ** (16 - significant[0]) - 1
    return white if samples.max() <= white and (samples & lowest).any() else None
