"""TIFF: read by Pillow if it reads the kind correctly, else by tifffile, an optional dependency."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImagePalette, UnidentifiedImageError

from nstd.images import tiff_pages as tags
from nstd.images.alpha import straight
from nstd.images.levels import to_shares
from nstd.images.model import ExtraNeededError, Stored, UnreadKindError
from nstd.images.pillow import Opener, profile_of, raw_mode, set_raw_mode, sixteen_bits
from nstd.images.spliced import Spliced
from nstd.images.tiff_pages import TiffPage, find_page

_PROFILE = 34675
_COLORS = 320
_MOST_BYTES = 16
"""A pixel whose samples have more bytes counts as several pixels, to limit memory."""
_PILLOWS_PACKINGS = {1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32946, 34925, 50000}
_TIFFFILES_PACKINGS = {1, 5, 8, 32946, 32773, 50000}
"""LZW, deflate, PackBits and ZSTD, which tifffile unpacks within a given memory."""
_PACKINGS = {
    6: "JPEG",
    7: "JPEG",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34676: "LogLuv",
    34677: "LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "JPEG",
    34925: "LZMA",
    34933: "PNG",
    50001: "WebP",
    50002: "JPEG XL",
}
_GREYS = (tags.WHITE_IS_ZERO, tags.BLACK_IS_ZERO)
_PLAIN_GREYS = {
    (tags.UNSIGNED, 12),
    (tags.UNSIGNED, 16),
    (tags.UNSIGNED, 32),
    (tags.SIGNED, 16),
    (tags.SIGNED, 32),
    (tags.FLOAT, 32),
}
_NAMES = {tags.UNSIGNED: "integers", tags.SIGNED: "signed integers", tags.FLOAT: "floats"}
_COLOR_NAMES = {
    **dict.fromkeys(_GREYS, "grey"),
    tags.RGB: "RGB",
    tags.PALETTE: "palette",
    tags.CMYK: "CMYK",
    tags.YCBCR: "YCbCr",
    tags.LAB: "L*a*b*",
}


def read_tiff(file: BinaryIO, open_image: Opener) -> Stored:
    """The one picture in `file`.

    Raises ExtraNeededError when only tifffile reads it, which is not installed,
    UnreadKindError when neither reads it, and SeveralPagesError.
    """
    page = find_page(file)
    open_image.check_size(page.width, page.height)

    alone = file
    if page.number:
        end = file.seek(0, io.SEEK_END)
        alone = cast(BinaryIO, Spliced(file, [page.head, (len(page.head), end)]))

    def reopen() -> Image.Image:
        alone.seek(0)
        return open_image(alone)

    if _is_plain(page):
        with suppress(UnidentifiedImageError):
            return _by_pillow(page, reopen)
    return _by_tifffile(page, file, open_image)


def _is_plain(page: TiffPage) -> bool:
    """Whether Pillow reads it correctly, as tests of every kind show
    (tests/images/test_kinds.py)."""
    if page.compression not in _PILLOWS_PACKINGS:
        return False
    if page.planar and (page.extra or page.bits > 8):
        return False
    if page.bits <= 8 and page.sample_format == tags.UNSIGNED:
        return True
    if page.channels == 1 and page.photometric in _GREYS:
        return (page.sample_format, page.bits) in _PLAIN_GREYS
    several = page.photometric in (tags.RGB, tags.CMYK)
    return several and (page.sample_format, page.bits) == (tags.UNSIGNED, 16)


def _by_pillow(page: TiffPage, reopen: Callable[[], Image.Image]) -> Stored:
    """The picture read by Pillow, which turns it upright."""
    with reopen() as image:
        profile = profile_of(image)
        if page.bits <= 8 or page.photometric == tags.CMYK:
            if page.photometric == tags.PALETTE and page.largest_color < 256:
                colors = image.tag_v2[_COLORS]  # type: ignore[attr-defined]
                image.palette = ImagePalette.raw("RGB;L", bytes(colors))
            image.load()
            return Stored(image, profile=profile)
        if page.channels == 1:
            if (
                page.compression != 1
            ):  # libtiff unpacks to the machine's order, which Pillow forgets
                set_raw_mode(image, re.sub(r"(\d)B", r"\1N", raw_mode(image)))
            samples = np.asarray(image)[:, :, None]
            if page.bits == 32 and page.sample_format == tags.UNSIGNED:
                samples = samples.view(np.uint32)
            return _of_samples(page, samples, profile)
        return _of_samples(page, sixteen_bits(image, reopen), profile)


def _by_tifffile(page: TiffPage, file: BinaryIO, open_image: Opener) -> Stored:
    kind = _described(page)
    # the order of the three bytes of 24 bits: programs differ, and tifffile reads one alone
    if page.photometric in (tags.PALETTE, tags.YCBCR, tags.LAB) or page.bits == 24:
        raise UnreadKindError(kind)
    if page.compression not in _TIFFFILES_PACKINGS:
        packing = _PACKINGS.get(page.compression, f"method {page.compression}")
        raise UnreadKindError(f"{kind}, packed by {packing},")
    # large samples must not take more memory than the limit
    size = -(-page.bits // 8) * page.channels
    open_image.check_size(page.width * -(-size // _MOST_BYTES), page.height)
    samples, profile = _samples(page, file, kind)
    stored = _of_samples(page, samples, profile)
    return replace(stored, orientation=page.orientation)


def _samples(page: TiffPage, file: BinaryIO, kind: str) -> tuple[NDArray[Any], bytes | None]:
    """(height, width, channels), and the profile."""
    try:
        import tifffile

        if page.compression != 1 or page.bits % 8:
            import imagecodecs  # noqa: F401 - tifffile's own unpacking has no bounds
    except ImportError as error:
        raise ExtraNeededError(kind) from error
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    file.seek(0)
    with tifffile.TiffFile(file, name="picture") as opened:
        found = opened.pages[page.number].aspage()
        separate, depth, height, width, chunky = found.shaped
        if (height, width, depth) != (page.height, page.width, 1) or (
            separate * chunky != page.channels
        ):
            raise ValueError(f"{found.shaped} values")
        samples = found.asarray(squeeze=False, maxworkers=1).reshape(found.shaped)
        samples = samples[:, 0] if page.planar else samples[0]
        profile = found.tags.valueof(_PROFILE)
    if page.planar:
        samples = np.moveaxis(samples[..., 0], 0, 2)
    elif samples.shape[0] == 1 and samples.ndim == 4:
        samples = samples[0]
    return samples, profile if isinstance(profile, bytes) else None


def _of_samples(page: TiffPage, samples: NDArray[Any], profile: bytes | None) -> Stored:
    """The samples as shares of white, divided by alpha if they were multiplied by it."""
    shares = partial(to_shares, bits=page.bits, white=page.white)
    colors, notes = shares(
        samples[:, :, : page.colors], inverted=page.photometric == tags.WHITE_IS_ZERO
    )
    alpha = None
    covers = [at for at, kind in enumerate(page.extra) if kind]
    if covers and samples.shape[2] > page.colors + covers[0]:
        alpha, _ = shares(samples[:, :, page.colors + covers[0]])
        if page.extra[covers[0]] == 1:
            colors = straight(colors, alpha)
    if page.photometric == tags.CMYK:
        image = Image.fromarray(np.rint(colors * 255).astype(np.uint8), "CMYK")
        return Stored(image, alpha=alpha, profile=profile, notes=notes)
    return Stored(values=colors, alpha=alpha, profile=profile, notes=notes)


def _described(page: TiffPage) -> str:
    """The kind as text, such as `a TIFF of 3 channels of 32-bit floats (RGB)`."""
    channels = "1 channel" if page.channels == 1 else f"{page.channels} channels"
    planes = " in separate planes" if page.planar else ""
    return (
        f"a TIFF of {channels} of {page.bits}-bit {_NAMES[page.sample_format]}{planes} "
        f"({_COLOR_NAMES[page.photometric]})"
    )
