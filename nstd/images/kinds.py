"""The kind of a picture file, by its first bytes: the kinds that are read, and many others.

The error for another kind names it, so that the user knows that the file is not broken.
"""

from __future__ import annotations

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")
"""The formats that are read; Pillow's other decoders are not used."""

HEAD = 64
"""The number of first bytes that are needed."""

_READ = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "PPM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"Pf", b"PF"),
}
_FOREIGN = (
    (0, b"8BPS", "a Photoshop document (PSD)"),
    (0, b"gimp xcf", "a GIMP document (XCF)"),
    (0, b"%PDF", "a PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an XML file, such as an SVG drawing"),
    (0, b"<!--", "an XML file, such as an SVG drawing"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<!doctype", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"<HTML", "a web page"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"II\xbc\x01", "a JPEG XR picture"),
    (0, b"v/1\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance HDR picture"),
    (0, b"#?RGBE", "a Radiance HDR picture"),
    (0, b"\0\0\x01\0", "an icon (ICO)"),
    (0, b"\x0a\x05\x01", "a PCX picture"),
    (0, b"icns", "an icon (ICNS)"),
    (0, b"qoif", "a QOI picture"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"SIMPLE  =", "a FITS picture"),
    (0, b"\x01\xda", "an SGI picture"),
    (0, b"farbfeld", "a farbfeld picture"),
    (0, b"FUJIFILMCCD-RAW", "a camera's raw file (RAF)"),
    (0, b"IIRO", "a camera's raw file (ORF)"),
    (0, b"IIRS", "a camera's raw file (ORF)"),
    (0, b"MMOR", "a camera's raw file (ORF)"),
    (0, b"IIU\0", "a camera's raw file (RW2)"),
    (0, b"\0MRM", "a camera's raw file (MRW)"),
    (0, b"FOVb", "a camera's raw file (X3F)"),
    (6, b"HEAPCCDR", "a camera's raw file (CRW)"),
    (0, b"\x8bJNG", "a JNG picture"),
    (0, b"\x8aMNG", "an MNG film"),
    (8, b"AVI ", "a film (AVI)"),
    (8, b"WAVE", "a sound file (WAV)"),
    (0, b"\x1aE\xdf\xa3", "a film (Matroska or WebM)"),
    (0, b"PK\x03\x04", "a ZIP archive or office document"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf", "a 7-Zip archive"),
)
_BRANDS = {
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"heim": "a HEIC picture",
    b"heis": "a HEIC picture",
    b"hevc": "a HEIC picture",
    b"hevx": "a HEIC picture",
    b"mif1": "a HEIF picture",
    b"avci": "a HEIF picture",
    b"msf1": "a HEIF picture",
    b"crx ": "a camera's raw file (CR3)",
    b"jp2 ": "a JPEG 2000 picture",
    b"jxl ": "a JPEG XL picture",
}


def kind_of(head: bytes) -> str | None:
    """The format, one of `FORMATS`, of a file that begins with `head`, or None."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return "AVIF" if b"avif" in head[8:] or b"avis" in head[8:12] else None
    return next((kind for kind, magics in _READ.items() if head.startswith(magics)), None)


def foreign_kind(head: bytes) -> str | None:
    """The name of the kind of a file that is not read; None if unknown."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "a film (MP4 or QuickTime)")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip() if b"<" in head[:16] else head
    found = (name for at, magic, name in _FOREIGN if start.startswith(magic, at))
    return next(found, "a TGA picture" if _is_tga(head) else None)


def _is_tga(head: bytes) -> bool:
    """Whether it is TGA, which has no magic bytes: checks the colour map, type and bits per
    pixel."""
    kinds = {0: (2, 3, 10, 11), 1: (1, 9)}
    return len(head) > 17 and head[2] in kinds.get(head[1], ()) and head[16] in (8, 16, 24, 32)
