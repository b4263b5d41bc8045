"""The directory of a TIFF: finds the page with the picture, and reads its tags.

TIFF 6.0, its Technical Note on SubIFDs, and BigTIFF, in either order of bytes.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from nstd.images.model import UnreadKindError

_PAGES = 64
_ENTRIES = 4096
_VALUES = 64
"""The most pages, tags or values that are read; valid files have fewer."""
_TEXT_BYTES = 1 << 16
_FORMS = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}

_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 255, 256, 257, 258, 259
_PHOTOMETRIC, _FILL_ORDER, _ORIENTATION, _SAMPLES, _HIGHEST = 262, 266, 274, 277, 281
_PLANAR, _PREDICTOR, _COLORS, _SUB_PAGES, _INKS, _EXTRA, _FORMAT = 284, 317, 320, 330, 332, 338, 339
_DESCRIPTION, _HIGHEST_OF_ANY, _SUBSAMPLING, _DNG, _WHITE_LEVEL = 270, 341, 530, 50706, 50717
_SIGNIFICANT = re.compile(rb'SignificantBits="(\d{1,2})"')
"""The significant bits in OME-XML, in the description."""
_READ = {
    *(_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER),
    *(_ORIENTATION, _SAMPLES, _HIGHEST, _PLANAR, _PREDICTOR, _COLORS, _SUB_PAGES, _INKS),
    *(_EXTRA, _FORMAT, _DESCRIPTION, _HIGHEST_OF_ANY, _SUBSAMPLING, _DNG, _WHITE_LEVEL),
}
_REDUCED, _MASK = 1, 4
"""Bits of NewSubfileType."""

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, TRANSPARENCY, CMYK, YCBCR, LAB = 0, 1, 2, 3, 4, 5, 6, 8
_UNREAD_PHOTOMETRIC = {
    TRANSPARENCY: "a TIFF that is a mask alone",
    9: "a TIFF in ICC L*a*b*",
    10: "a TIFF in ITU L*a*b*",
    32803: "a camera's raw file (CFA)",
    32844: "a TIFF in LogL",
    32845: "a TIFF in LogLuv",
    34892: "a camera's raw file (linear raw)",
}
_COLOR_CHANNELS = {
    WHITE_IS_ZERO: 1,
    BLACK_IS_ZERO: 1,
    RGB: 3,
    PALETTE: 1,
    CMYK: 4,
    YCBCR: 3,
    LAB: 3,
}
UNSIGNED, SIGNED, FLOAT = 1, 2, 3

Tags = dict[int, tuple[int, ...]]
"""The values of those tags of a directory that are used here."""


@dataclass(frozen=True)
class TiffPage:
    """The tags of a page; `number` is its position in the chain, from 0.

    `head` is the head of a file that would begin with this page. `bits` and `sample_format` are
    those of every channel; `colors` is the number of colour channels, `extra` the kind of each
    other channel: 0 unspecified, 1 alpha by which the colours are multiplied, 2 alpha. `white` is
    the value of white, if the file has one below the full scale.
    """

    number: int
    head: bytes
    width: int
    height: int
    bits: int
    sample_format: int
    photometric: int
    colors: int
    extra: tuple[int, ...]
    planar: bool
    compression: int
    orientation: int
    white: int | None
    largest_color: int

    @property
    def channels(self) -> int:
        """The number of all channels."""
        return self.colors + len(self.extra)


class SeveralPagesError(Exception):
    """More than one page is a separate picture."""


def find_page(file: BinaryIO) -> TiffPage:
    """The one page of `file` that is neither a thumbnail nor a mask.

    Raises SeveralPagesError; UnreadKindError for a kind that is not read; ValueError when the
    directory is broken.
    """
    pages: list[Tags] = []
    heads: list[bytes] = []
    whole: list[int] = []
    try:
        for head, tags in _pages(file):
            if not _is_part(tags):
                whole.append(len(pages))
            pages.append(tags)
            heads.append(head)
            if len(whole) > 1:
                break
    except struct.error as error:
        raise ValueError(f"directory: {error}") from error
    if not pages:
        raise ValueError("no page")
    if _is_raw(file, pages[0]):
        raise UnreadKindError("a camera's raw file, such as DNG, NEF or CR2,")
    if len(whole) > 1 or (not whole and len(pages) > 1):
        raise SeveralPagesError
    number = whole[0] if whole else 0
    return _page(number, heads[number], pages[number])


def _is_raw(file: BinaryIO, tags: Tags) -> bool:
    """Whether it is a camera's raw file, whose main directory has only a preview."""
    file.seek(8)
    return file.read(2) == b"CR" or _DNG in tags or (_is_part(tags) and _SUB_PAGES in tags)


def _is_part(tags: Tags) -> bool:
    """Whether a page is a thumbnail or a mask of another."""
    kind, old = tags.get(_KIND, (0,))[0], tags.get(_OLD_KIND, (0,))[0]
    return bool(kind & (_REDUCED | _MASK)) or old == 2 or tags.get(_PHOTOMETRIC) == (TRANSPARENCY,)


def _page(number: int, head: bytes, tags: Tags) -> TiffPage:
    def one(tag: int, otherwise: int) -> int:
        return tags.get(tag, (otherwise,))[0]

    compression = one(_COMPRESSION, 1)
    photometric = one(_PHOTOMETRIC, WHITE_IS_ZERO)
    if photometric not in _COLOR_CHANNELS:
        kind = _UNREAD_PHOTOMETRIC.get(photometric, f"a TIFF of photometric kind {photometric}")
        raise UnreadKindError(kind)
    if photometric == CMYK and one(_INKS, 1) != 1:
        raise UnreadKindError("a TIFF in inks other than CMYK")
    if (photometric, compression) == (YCBCR, 1) and tags.get(_SUBSAMPLING, (2, 2)) != (1, 1):
        raise UnreadKindError("a TIFF of YCbCr with fewer values of colour, not packed,")
    bits, formats = set(tags.get(_BITS, (1,))), set(tags.get(_FORMAT, (UNSIGNED,)))
    if len(bits) > 1 or len(formats) > 1:
        raise UnreadKindError("a TIFF whose channels have different depths")
    (depth,), (form,) = bits, formats
    form = UNSIGNED if form == 4 else form  # undefined
    if form not in (UNSIGNED, SIGNED, FLOAT):
        raise UnreadKindError("a TIFF of complex numbers")
    colors = _COLOR_CHANNELS[photometric]
    samples = one(_SAMPLES, 3 if compression == 7 and photometric in (RGB, YCBCR) else 1)
    if photometric == YCBCR and samples == 1:
        photometric, colors = BLACK_IS_ZERO, 1
    return TiffPage(
        number=number,
        head=head,
        width=one(_WIDTH, 0),
        height=one(_HEIGHT, 0),
        bits=depth,
        sample_format=form,
        photometric=photometric,
        colors=colors,
        extra=_extra(tags.get(_EXTRA, ()), samples, colors),
        planar=one(_PLANAR, 1) == 2,
        compression=compression,
        orientation=one(_ORIENTATION, 1),
        white=_white(tags, depth, form),
        largest_color=max(tags.get(_COLORS, (0,))),
    )


def _extra(said: tuple[int, ...], samples: int, colors: int) -> tuple[int, ...]:
    """The kinds of the channels after the colours; a channel without a kind counts as alpha."""
    more = samples - colors
    if more < 0 or more > _VALUES:
        raise ValueError(f"{samples} channels")
    if more and not said:
        said = (2,)
    extra = (*said, *(0,) * more)[:more]
    if colors == 1 and more > 1 and not any(extra):
        raise UnreadKindError(f"a TIFF of {samples} channels that does not say their colours")
    return extra


def _white(tags: Tags, depth: int, form: int) -> int | None:
    """The value of white in integers that use fewer bits than they have.

    A highest value that is not the full scale of a number of bits belongs to one picture and is
    not used for scaling.
    """
    if _WHITE_LEVEL in tags:
        return tags[_WHITE_LEVEL][0] or None
    said = [max(tags.get(tag, (0,))) for tag in (_HIGHEST, _HIGHEST_OF_ANY)]
    if found := _SIGNIFICANT.search(bytes(tags.get(_DESCRIPTION, ()))):
        said.append(2 ** int(found[1]) - 1)
    fits = [one for one in said if 255 <= one < 2**depth - 1 and one & (one + 1) == 0]
    return max(fits) if fits and form == UNSIGNED and depth > 8 else None


def _pages(file: BinaryIO) -> Iterator[tuple[bytes, Tags]]:
    """The tags of `_READ` of each page in the chain, and the head of a file that begins there."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    (version,) = struct.unpack_from(order + "H", head, 2)
    big = version == 43
    place, form = (8, order + "Q") if big else (4, order + "I")
    (at,) = struct.unpack_from(form, head, place)
    size, seen = file.seek(0, io.SEEK_END), set[int]()
    while 0 < at < size:
        if at in seen or len(seen) == _PAGES:
            raise ValueError("the chain of pages has no end")
        seen.add(at)
        own = head[:place] + struct.pack(form, at)
        tags, at = _directory(file, at, order, big)
        yield own, tags


def _directory(file: BinaryIO, at: int, order: str, big: bool) -> tuple[Tags, int]:
    """The tags at `at`, and where the next directory is."""
    file.seek(at)
    count_form, entry, width = ("Q", 20, 8) if big else ("H", 12, 4)
    count_size = struct.calcsize(count_form)
    (count,) = struct.unpack(order + count_form, file.read(count_size))
    if count > _ENTRIES:
        raise ValueError(f"{count} tags")
    data = file.read(count * entry)
    (after,) = struct.unpack(order + ("Q" if big else "I"), file.read(width).ljust(width, b"\0"))
    tags: Tags = {}
    for start in range(0, count * entry, entry):
        tag, form, many = struct.unpack_from(order + "HH" + ("Q" if big else "I"), data, start)
        if tag in _READ and form in _FORMS and many:
            many = min(many, {_COLORS: 3 << 16, _DESCRIPTION: _TEXT_BYTES}.get(tag, _VALUES))
            values = _values(
                file, data, start + entry - width, order + f"{many}{_FORMS[form]}", width
            )
            tags.setdefault(tag, values)
    return tags, after


def _values(file: BinaryIO, data: bytes, start: int, form: str, width: int) -> tuple[int, ...]:
    """The values of a tag, which are in its entry if they fit there."""
    size = struct.calcsize(form)
    if size <= width:
        return struct.unpack_from(form, data, start)
    (at,) = struct.unpack_from(form[0] + ("Q" if width == 8 else "I"), data, start)
    file.seek(at)
    return struct.unpack(form, file.read(size))
