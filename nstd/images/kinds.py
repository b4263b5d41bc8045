"""The kind of a picture file that is read, by its first bytes."""

from __future__ import annotations

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF")
"""The formats that are read; Pillow's other decoders are not used."""

_READ = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "PPM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"Pf", b"PF"),
}
_THUMBNAIL = b"P7 332"
"""That of XV, which is no PAM."""


def kind_of(head: bytes) -> str | None:
    """The format, one of `FORMATS`, of a file that begins with `head`, or None."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4])]
        return "AVIF" if b"avif" in brands or brands.startswith(b"avis") else None
    if head.startswith(_THUMBNAIL):
        return None
    return next((kind for kind, magics in _READ.items() if head.startswith(magics)), None)
