"""Picture files of every kind, made by other means than Pillow, and what each of them shows.

TIFFs come from tifffile, AVIF and deep or lossless JPEGs from imagecodecs; PNG, BMP, Netpbm and
GIF are written byte by byte. The values of the picture are multiples of 1/15, which 4, 8, 12 and
16 bits hold exactly.
"""

from collections.abc import Iterator

from support.pictures import avifs, bmps, others, pngs, profiled, tagged_tiffs, tiffs
from support.pictures.model import Case


def cases() -> Iterator[Case]:
    """All of them."""
    yield from tiffs.grey_tiffs()
    yield from tiffs.rgb_tiffs()
    yield from tagged_tiffs.tagged_tiffs()
    yield from pngs.pngs()
    yield from others.netpbms()
    yield from bmps.bmps()
    yield from avifs.avifs()
    yield from others.others()
    yield from profiled.profiled()
