"""The names of kinds of files that are not read, by their first bytes.

An error names the kind, so that the user knows that the file is not broken.
"""

from __future__ import annotations

import struct

FILM = " film"
"""Is in the names of the kinds that are films."""
_RAW = "a camera's raw file"
_STARTS: dict[str, tuple[bytes, ...]] = {
    # pictures
    "a JPEG 2000 picture": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "a JPEG XL picture": (b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a"),
    "a JPEG XR picture": (b"II\xbc\x01", b"II\xbc\0"),
    "a JBIG2 picture": (b"\x97JB2\r\n\x1a\n",),
    "a BPG picture": (b"BPG\xfb",),
    "a FLIF picture": (b"FLIF",),
    "a QOI picture": (b"qoif",),
    "a JNG picture": (b"\x8bJNG",),
    "an OpenEXR picture": (b"v/1\x01",),
    "a Radiance HDR picture": (b"#?RADIANCE", b"#?RGBE"),
    "a DPX picture": (b"SDPX", b"XPDS"),
    "a Cineon picture": (b"\x80\x2a\x5f\xd7", b"\xd7\x5f\x2a\x80"),
    "an SGI picture": (b"\x01\xda",),
    "a Sun raster picture": (b"\x59\xa6\x6a\x95",),
    "a PCX picture": tuple(bytes([10, version, 1]) for version in (0, 2, 3, 4, 5)),
    "a PCX file of several pages (DCX)": (b"\xb1\x68\xde\x3a",),
    "an XV thumbnail": (b"P7 332",),
    "a Microsoft Paint picture (MSP)": (b"DanM", b"LinS"),
    "a Pixar picture": (b"\x80\xe8\0\0",),
    "a farbfeld picture": (b"farbfeld",),
    "a MIFF picture (ImageMagick)": (b"id=ImageMagick",),
    "a VIPS picture": (b"\xb6\xa6\xf2\x08", b"\x08\xf2\xa6\xb6"),
    "an XPM picture": (b"/* XPM */", b"! XPM2"),
    "an XBM picture, or source in C": (b"#define",),
    "a DjVu document": (b"AT&TFORM",),
    "an icon (ICO)": (b"\0\0\x01\0",),
    "a cursor (CUR)": tuple(bytes([0, 0, 2, 0, count, 0]) for count in range(1, 20)),
    "an icon (ICNS)": (b"icns",),
    "an OS/2 bitmap array": (b"BA\x28\0\0\0",),
    "a bitmap without the head of its file (DIB)": (
        b"\x0c\0\0\0",
        *(bytes([size, 0, 0, 0]) for size in (40, 52, 56, 64, 108, 124)),
    ),
    # textures
    "a DDS texture": (b"DDS ",),
    "a KTX texture": (b"\xabKTX ",),
    "a BLP texture": (b"BLP1", b"BLP2"),
    "an FTEX texture": (b"FTEX",),
    "a VTF texture": (b"VTF\0",),
    "an ASTC texture": (b"\x13\xab\xa1\x5c",),
    "a PVR texture": (b"PVR\x03",),
    # drawings and documents
    "a Photoshop document (PSD)": (b"8BPS",),
    "a GIMP document (XCF)": (b"gimp xcf",),
    "a Paint Shop Pro document": (b"Paint Shop Pro Image File",),
    "a Paint.NET document": (b"PDN3",),
    "a Clip Studio document": (b"CSFCHUNK",),
    "a PDF": (b"%PDF",),
    "PostScript": (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    "an SVG drawing": (b"<svg",),
    "an XML file, such as an SVG drawing": (b"<?xml", b"<!--"),
    "a web page": (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML"),
    "a Windows metafile (WMF)": (b"\xd7\xcd\xc6\x9a", b"\x01\0\x09\0\0", b"\x02\0\x09\0\0"),
    # measurements
    "a FITS picture": (b"SIMPLE  =",),
    "an XISF picture": (b"XISF0100",),
    "an NRRD picture": (b"NRRD0",),
    "a NumPy array": (b"\x93NUMPY",),
    "an HDF5 file": (b"\x89HDF\r\n\x1a\n",),
    "an HDF4 file": (b"\x0e\x03\x13\x01",),
    "a NetCDF file": (b"CDF\x01", b"CDF\x02", b"CDF\x05"),
    "a GRIB file": (b"GRIB",),
    "a BUFR file": (b"BUFR",),
    "an IPTC-NAA picture": (b"\x1c\x01", b"\x1c\x02"),
    "a McIDAS picture": (b"\0\0\0\0\0\0\0\x04",),
    # cameras
    f"{_RAW} (RAF)": (b"FUJIFILMCCD-RAW",),
    f"{_RAW} (ORF)": (b"IIRO", b"IIRS", b"MMOR"),
    f"{_RAW} (RW2)": (b"IIU\0",),
    f"{_RAW} (MRW)": (b"\0MRM",),
    f"{_RAW} (X3F)": (b"FOVb",),
    f"{_RAW} (ARRI)": (b"ARRI",),
    # films, sounds, archives
    "an MNG film": (b"\x8aMNG",),
    "a film (Matroska or WebM)": (b"\x1aE\xdf\xa3",),
    "a film (MPEG)": (b"\0\0\x01\xb3", b"\0\0\x01\xba"),
    "a film (Flash)": (b"FLV\x01",),
    "a film (Windows Media)": (b"\x30\x26\xb2\x75",),
    "a film or sound file (Ogg)": (b"OggS",),
    "a sound file (MP3)": (b"ID3",),
    "a sound file (FLAC)": (b"fLaC",),
    "a ZIP archive or office document": (b"PK\x03\x04",),
    "an office document": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",),
    "a gzip archive": (b"\x1f\x8b",),
    "an xz archive": (b"\xfd7zXZ\0",),
    "a bzip2 archive": (b"BZh",),
    "a Zstandard archive": (b"\x28\xb5\x2f\xfd",),
    "a RAR archive": (b"Rar!",),
    "a 7-Zip archive": (b"7z\xbc\xaf",),
}
_INSIDE: tuple[tuple[int, bytes, str], ...] = (
    (4, b"\x11\xaf", "an Autodesk animation (FLI)"),
    (4, b"\x12\xaf", "an Autodesk animation (FLC)"),
    (6, b"HEAPCCDR", f"{_RAW} (CRW)"),
    (8, b"ILBM", "an Amiga picture (ILBM)"),
    (8, b"PBM ", "an Amiga picture (ILBM)"),
    (8, b"AVI ", "a film (AVI)"),
    (8, b"ACON", "an animated cursor (ANI)"),
    (8, b"WAVE", "a sound file (WAV)"),
    (8, b"CDR", "a CorelDRAW drawing"),
    (20, b"GIMP", "a GIMP brush"),
    (20, b"GPAT", "a GIMP pattern"),
    (40, b" EMF", "a Windows metafile (EMF)"),
    (128, b"DICM", "a DICOM picture"),
    (344, b"n+1\0", "a NIfTI picture"),
    (522, b"\0\x11\x02\xff", "a Macintosh picture (PICT)"),
    (2048, b"PCD_", "a Kodak Photo CD picture"),
)
"""Where the magic bytes stand, counted from 0."""
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "a HEIC picture"),
    **dict.fromkeys((b"mif1", b"mif2", b"msf1", b"avci", b"avcs", b"jpeg"), "a HEIF picture"),
    b"crx ": f"{_RAW} (CR3)",
    b"jp2 ": "a JPEG 2000 picture",
    b"jpx ": "a JPEG 2000 picture",
    b"jxl ": "a JPEG XL picture",
}
HEAD = 2056
"""The number of first bytes that are needed."""


def foreign_kind(head: bytes) -> str | None:
    """The name of the kind of a file that begins with `head` and is not read; None if unknown."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "a film (MP4 or QuickTime)")
    for at, magic, name in _INSIDE:
        if head.startswith(magic, at):
            return name
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip() if b"<" in head[:16] else head
    for name, magics in _STARTS.items():
        if start.startswith(magics):
            return name
    if b"Image type:" in head:
        return "an IFUNC picture (IM)"
    if _is_spider(head):
        return "a SPIDER picture"
    return "a TGA picture" if _is_tga(head) else None


def _is_spider(head: bytes) -> bool:
    """Whether it is of the electron microscopes' SPIDER, whose header is numbers alone: checks the
    kind of the file, and that its records are as long as rows and fill the header."""
    if len(head) < 92:
        return False
    for order in "<>":
        said = struct.unpack_from(f"{order}23f", head)
        row, records, header, record = said[11], said[12], said[21], said[22]
        if said[4] in (1, 3) and row >= 1 and record == 4 * row and header == records * record:
            return True
    return False


def _is_tga(head: bytes) -> bool:
    """Whether it is TGA, which has no magic bytes: checks the colour map, type and bits per
    pixel."""
    if len(head) < 18:
        return False
    map_kind, kind, map_bits, bits = struct.unpack_from("<xBB4xB8xB", head)
    kinds = {0: (2, 3, 10, 11), 1: (1, 9)}
    return kind in kinds.get(map_kind, ()) and bits in (1, 8, 15, 16, 24, 32) and map_bits <= 32
