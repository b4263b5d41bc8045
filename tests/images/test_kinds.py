"""Pictures of every kind are read for what they are, or refused by their name; never garbage.

The files are made by other means than Pillow: see `support/pictures`.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nstd.errors import PictureError
from nstd.images.decode import load_image
from nstd.images.model import Picture

pytest.importorskip("imagecodecs")
tifffile = pytest.importorskip("tifffile")
from support.pictures import cases  # noqa: E402
from support.pictures.bmps import bmp  # noqa: E402
from support.pictures.model import GREY, HEIGHT, RGB, WIDTH, Case, encoded, integers, turned  # noqa: E402
from support.pictures.pngs import chunk, png  # noqa: E402
from support.pictures.profiled import SWAPPED, profile  # noqa: E402
from support.pictures.tiff_writer import tiff, with_tag  # noqa: E402

CASES = {case.name: case for case in cases()}


def load(folder: Path, data: bytes, **more: Any) -> Picture:
    """`data`, read as a file whose name tells nothing."""
    path = folder / "picture"
    path.write_bytes(data)
    return load_image(path, **({"max_pixels": 10**6, "max_bytes": 10**8} | more))


def refusal(folder: Path, data: bytes, **more: Any) -> PictureError:
    with pytest.raises(PictureError) as caught:
        load(folder, data, **more)
    assert caught.value.message.startswith("picture: ")
    assert caught.value.hint
    return caught.value


def check(case: Case, picture: Picture) -> None:
    shown = case.shown if case.shown.ndim == 3 else np.repeat(case.shown[:, :, None], 3, axis=2)
    assert picture.pixels.shape == shown.shape
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.flags.c_contiguous
    assert (picture.alpha is None) == (case.alpha is None)
    seen = np.ones(shown.shape[:2], bool)
    if case.alpha is not None:
        assert picture.alpha is not None
        assert np.abs(picture.alpha - case.alpha).max() < case.tolerance
        seen = case.alpha > 0.05
    assert np.abs(picture.pixels - shown)[seen].max() < case.tolerance
    assert len(picture.notes) == case.notes, picture.notes


@pytest.mark.parametrize("name", CASES)
def test_the_picture_is_what_its_file_says(tmp_path: Path, name: str) -> None:
    """Format, mode, depth, tags and colours: each as its own program would show it."""
    check(CASES[name], load(tmp_path, CASES[name].data))


@pytest.mark.parametrize("name", CASES)
def test_without_the_extra_it_is_the_same_or_refused_by_name(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Pillow cannot hold names the extra that reads it; all else needs none."""
    monkeypatch.setitem(sys.modules, "tifffile", None)
    case = CASES[name]
    if not case.extra:
        check(case, load(tmp_path, case.data))
        return
    error = refusal(tmp_path, case.data)
    assert error.code == "picture_unreadable"
    assert "a TIFF of" in error.message
    assert "extra `tiff`" in error.message
    assert "nstd[tiff]" in error.hint


def test_a_packed_tiff_needs_the_whole_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tifffile unpacks without imagecodecs has no bounds."""
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    check(CASES["tiff rgb float32 contig None"], load(tmp_path, _float_tiff()))
    assert "extra `tiff`" in refusal(tmp_path, _float_tiff(compression="deflate")).message


def _float_tiff(**options: Any) -> bytes:
    return tiff(RGB.astype(np.float32), photometric="rgb", **options)


@pytest.mark.parametrize("name", ["tiff rgb uint16 contig lzw", "png rgb 16", "pam RGB to 65535"])
def test_sixteen_bits_are_kept(tmp_path: Path, name: str) -> None:
    """Not their upper half alone."""
    assert np.abs(load(tmp_path, CASES[name].data).pixels - RGB).max() < 1e-6


@pytest.mark.parametrize("side", [None, 9])
def test_deep_pictures_are_made_smaller_without_fringes(tmp_path: Path, side: int | None) -> None:
    """Hidden black next to red leaves it red, as in pictures of 8 bits."""
    samples = np.zeros((30, 30, 4), np.uint16)
    samples[10:20, 10:20] = [65535, 0, 0, 65535]
    picture = load(tmp_path, png(samples, 16, 6), max_side=side)
    assert picture.alpha is not None
    assert picture.size == (side or 30, side or 30)
    assert picture.pixels[picture.alpha > 0.1][:, 0].min() > 0.97


REST = bytes(3000)
UNREAD = {
    "a HEIC picture": b"\0\0\0\x18ftypheic",
    "a HEIF picture": b"\0\0\0\x18ftypavci",
    "a film (MP4": b"\0\0\0\x18ftypisom",
    "a film (Matroska": b"\x1aE\xdf\xa3",
    "a film (MPEG)": b"\0\0\1\xb3",
    "a film (AVI)": b"RIFF\0\0\0\0AVI ",
    "a JPEG XL picture": b"\xff\x0a",
    "a JPEG 2000 picture": b"\0\0\0\x0cjP  \r\n\x87\n",
    "a JPEG XR picture": b"II\xbc\1",
    "an OpenEXR picture": b"v/1\1",
    "a Radiance HDR picture": b"#?RADIANCE\n",
    "a DPX picture": b"XPDS",
    "a Cineon picture": b"\x80\x2a\x5f\xd7",
    "a Sun raster picture": b"\x59\xa6\x6a\x95",
    "a TGA picture": struct.pack("<3B5x4H2B", 0, 0, 2, 0, 0, 4, 4, 24, 0),
    "a PCX file of several pages": b"\xb1\x68\xde\x3a",
    "a DDS texture": b"DDS ",
    "a KTX texture": b"\xabKTX 11",
    "a cursor (CUR)": b"\0\0\2\0\1\0",
    "an animated cursor (ANI)": b"RIFF\0\0\0\0ACON",
    "an icon (ICO)": b"\0\0\1\0\1\0",
    "an OS/2 bitmap array": b"BA\x28\0\0\0",
    "a bitmap without": struct.pack("<IiiHH", 40, 4, 4, 1, 24),
    "an XV thumbnail": b"P7 332\n",
    "an XPM picture": b"/* XPM */\n",
    "an Autodesk animation": struct.pack("<IH", 100, 0xAF12),
    "a Pixar picture": b"\x80\xe8\0\0",
    "a GIMP brush": struct.pack(">5I", 28, 2, 4, 4, 1) + b"GIMP",
    "an Amiga picture": b"FORM\0\0\0\1ILBM",
    "a Macintosh picture": bytes(522) + b"\0\x11\2\xff",
    "a Kodak Photo CD picture": b"\xff" * 2048 + b"PCD_IPI",
    "an IPTC-NAA picture": b"\x1c\1\x5a\0\2",
    "a Photoshop document": b"8BPS\0\1",
    "a GIMP document": b"gimp xcf file\0",
    "an SVG drawing": b"\xef\xbb\xbf\n<svg xmlns='http://www.w3.org/2000/svg'/>",
    "an XML file, such as an SVG": b"<!-- by a drawing program --><svg/>",
    "a PDF": b"%PDF-1.7\n",
    "PostScript": b"\xc5\xd0\xd3\xc6",
    "a Windows metafile (EMF)": struct.pack("<II", 1, 108) + bytes(32) + b" EMF",
    "a camera's raw file (CR3)": b"\0\0\0\x18ftypcrx ",
    "a camera's raw file (CRW)": b"II\x1a\0\0\0HEAPCCDR",
    "a camera's raw file (MRW)": b"\0MRM",
    "a camera's raw file (ORF)": b"IIRO",
    "a camera's raw file (RAF)": b"FUJIFILMCCD-RAW",
    "a camera's raw file (RW2)": b"IIU\0",
    "a camera's raw file (X3F)": b"FOVb",
    "a DICOM picture": bytes(128) + b"DICM",
    "a FITS picture": b"SIMPLE  =                    T",
    "a NIfTI picture": struct.pack("<I", 348) + bytes(340) + b"n+1\0",
    "a NumPy array": b"\x93NUMPY\1\0",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n",
    "a web page": b"<!DOCTYPE html>",
    "a ZIP archive": b"PK\3\4",
    **{
        f"a PCX picture{at * ' '}": bytes([10, version, 1])
        for at, version in enumerate((0, 2, 3, 5))
    },
    **{
        f"a Windows metafile (WMF){at * ' '}": data
        for at, data in enumerate((b"\xd7\xcd\xc6\x9a\0\0", b"\1\0\x09\0\0\3"))
    },
}


@pytest.mark.parametrize("what", UNREAD)
def test_a_kind_that_is_not_read_is_named(tmp_path: Path, what: str) -> None:
    """The file is sound: nobody has to copy it again."""
    error = refusal(tmp_path, UNREAD[what] + REST)
    assert error.code == "picture_unreadable"
    assert f"picture: {what.strip()}" in error.message
    assert "is not read, but PNG, JPEG" in error.message
    assert "cut short" not in error.message


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of formats that Pillow will give up
def test_whatever_pillow_writes_is_read_or_named(tmp_path: Path) -> None:
    """Every format of the library, those of other versions too; but PALM says nothing of itself."""
    from PIL import Image

    Image.init()
    formats = set(Image.SAVE) - {"PALM"}
    for form in formats:
        for mode in ("RGB", "L", "P", "1", "RGBA"):
            buffer = io.BytesIO()
            try:
                Image.new(mode, (16, 16)).save(buffer, form)
            except (OSError, ValueError, KeyError):
                continue  # not in this mode, or for lack of data
            try:
                assert load(tmp_path, buffer.getvalue()).size == (16, 16)
            except PictureError as error:
                assert " is not read, but PNG, JPEG" in error.message, (form, mode, error)


def _jpeg(**options: Any) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpeg8_encode(integers(GREY, 8), level=90, **options))


def _odd_jpeg(marker: int, precision: int) -> bytes:
    """A JPEG with another start of frame."""
    data = bytearray(_jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, precision
    return bytes(data)


def _raw_file() -> bytes:
    """A thumbnail in the main directory, and a sub-page that stands for the sensor's data."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        small = integers(RGB[::3, ::3], 8)
        file.write(small, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        file.write(integers(GREY, 16), photometric=32803, metadata=None)
    return buffer.getvalue()


def _tagged(tag: int, kind: str, value: int, pixels: Any = None, **options: Any) -> bytes:
    pixels = integers(RGB, 8) if pixels is None else pixels
    return tiff(pixels, photometric="rgb", extratags=[(tag, kind, 1, value, True)], **options)


UNREAD_KINDS: dict[str, tuple[bytes, str]] = {
    "jpeg of 12 bits": (_odd_jpeg(0xC1, 12), "a JPEG of 12 bits a channel is not read"),
    "lossless jpeg": (_odd_jpeg(0xC3, 8), "a lossless JPEG is not read"),
    "raw file": (_raw_file(), "a camera's raw file, such as DNG, NEF or CR2, is not read"),
    "dng": (_tagged(50706, "I", 0x01040000), "a camera's raw file"),
    "complex numbers": (tiff(GREY.astype(np.complex64)), "a TIFF of complex numbers is not read"),
    "lab of 16 bits": (
        tiff(integers(RGB, 16), photometric="cielab"),
        "a TIFF of 3 channels of 16-bit integers (L*a*b*) is not read",
    ),
    "three bytes a value": (
        tiff(integers(GREY, 24), bitspersample=24),
        "a TIFF of 1 channel of 24-bit integers (grey) is not read",
    ),
    "fewer values of colour": (
        with_tag(tiff(integers(RGB, 8), photometric="rgb"), 262, value=6),
        "a TIFF of YCbCr with fewer values of colour, not packed, is not read",
    ),
    "packed by JPEG 2000": (
        tiff(integers(RGB, 8), photometric="rgb", compression="jpeg2000"),
        "a TIFF of 3 channels of 8-bit integers (RGB), packed by JPEG 2000, is not read",
    ),
    "packed by WebP": (
        tiff(integers(RGB, 8), photometric="rgb", compression="webp"),
        "packed by WebP, is not read",
    ),
    "packed by LERC": (
        tiff(RGB.astype(np.float32), photometric="rgb", compression="lerc"),
        "a TIFF of 3 channels of 32-bit floats (RGB), packed by LERC, is not read",
    ),
    "colour filter array": (
        with_tag(tiff(integers(GREY, 16)), 262, value=32803),
        "a camera's raw file",
    ),
    "other inks": (
        tiff(
            integers(np.dstack([RGB, GREY]), 8),
            photometric="separated",
            extratags=[(332, "H", 1, 2, True)],
        ),
        "a TIFF in inks other than CMYK is not read",
    ),
    "five channels of grey": (
        tiff(
            integers(np.dstack([RGB, GREY, GREY]), 8),
            photometric="minisblack",
            planarconfig="contig",
        ),
        "a TIFF of 5 channels that does not say their colours is not read",
    ),
    "bmp with a png": (
        bmp(24, b"\x89PNG\r\n\x1a\n", compression=5),
        "a BMP that contains a PNG is not read",
    ),
    "bmp of fields with gaps": (
        bmp(32, bytes(4 * WIDTH * HEIGHT), compression=3, head=struct.pack("<3I", 1, 2, 12 + 32)),
        "a BMP with bit fields that have gaps is not read",
    ),
    "pam of another tuple": (
        b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE normals\nENDHDR\n\0\0",
        "a PAM of normals is not read",
    ),
}


@pytest.mark.parametrize("name", UNREAD_KINDS)
def test_a_kind_of_a_format_that_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    """Never garbage, and never called broken."""
    data, words = UNREAD_KINDS[name]
    error = refusal(tmp_path, data)
    assert error.code == "picture_unreadable"
    assert words in error.message
    assert "cut short" not in error.message


@pytest.mark.parametrize("suffix", ["png", "tiff", "ppm", "pam"])
def test_several_pages_and_cut_files_are_told_apart(tmp_path: Path, suffix: str) -> None:
    """A file that ends early is broken, whichever reader finds it."""
    name = {"png": "png rgb 16", "tiff": "tiff rgb float32 contig None", "ppm": "ppm P6 to 4095"}
    data = CASES[name.get(suffix, "pam RGB to 255")].data
    error = refusal(tmp_path, data[: len(data) * 2 // 3])
    assert error.code == "picture_unreadable"
    assert "broken or truncated" in error.message
    assert error.hint.startswith("copy it anew if it was cut off on its way")


@pytest.mark.parametrize(
    "name", ["png rgb 8", "jpeg rgb", "webp rgb", "gif", "bmp 24", "avif rgb 8"]
)
def test_the_beginning_of_a_picture_is_called_one(tmp_path: Path, name: str) -> None:
    """A supported kind is never called no picture, however little of it there is."""
    message = refusal(tmp_path, CASES[name].data[:30]).message
    assert "not a picture" not in message
    assert "broken or truncated" in message


def test_what_a_file_says_cannot_spoil_the_message(tmp_path: Path) -> None:
    """Neither a terminal's commands nor a text without an end."""
    data = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE \x1b[2J%s\nENDHDR\n\0\0"
    message = refusal(tmp_path, data % (b"x" * 900)).message
    assert "a PAM of \\x1b[2Jxxx" in message
    assert len(message) < 500


def test_a_tiff_without_a_height_is_broken(tmp_path: Path) -> None:
    """Whichever reader would take it for a picture of no rows."""
    for pixels in (integers(RGB, 8), RGB.astype(np.float32)):
        data = with_tag(tiff(pixels, photometric="rgb"), 257, number=60_000)
        assert refusal(tmp_path, data).code == "picture_unreadable"


@pytest.mark.parametrize("count", [2, 200])
def test_a_tiff_of_many_pages_is_refused(tmp_path: Path, count: int) -> None:
    """However many there are."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for _ in range(count):
            file.write(integers(GREY, 8), photometric="minisblack", metadata=None)
    error = refusal(tmp_path, buffer.getvalue())
    assert error.code == "picture_refused"
    assert "has several pages" in error.message


def test_pages_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    """The chain of a thumbnail that is its own next page has no end."""
    data = bytearray(tiff(integers(RGB, 8), photometric="rgb", subfiletype=1))
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<I", data, at + 2 + 12 * count, at)
    assert "no end" in refusal(tmp_path, bytes(data)).message


@pytest.mark.parametrize("name", ["tiff rgb float32 contig None", "png rgb 16", "ppm P6 to 4095"])
def test_the_limit_of_pixels_holds_in_every_reader(tmp_path: Path, name: str) -> None:
    """From the header."""
    load(tmp_path, CASES[name].data, max_pixels=WIDTH * HEIGHT)
    error = refusal(tmp_path, CASES[name].data, max_pixels=WIDTH * HEIGHT - 1)
    assert (error.code, "picture_pixels" in error.hint) == ("picture_refused", True)


def test_pixels_of_many_bytes_count_as_several(tmp_path: Path) -> None:
    """So that memory stays within its bounds: four doubles are 32 bytes."""
    four = np.dstack([RGB, GREY])
    data = tiff(four, photometric="rgb", extrasamples=["unassalpha"])
    load(tmp_path, data, max_pixels=2 * WIDTH * HEIGHT)
    assert refusal(tmp_path, data, max_pixels=2 * WIDTH * HEIGHT - 1).code == "picture_refused"


BROKEN_PROFILES = {
    "png, not deflated": png(
        integers(RGB, 8), 8, 2, chunk(b"iCCP", b"broken\0\0" + b"no deflate stream")
    ),
    "png, no profile": png(
        integers(RGB, 8), 8, 2, chunk(b"iCCP", b"broken\0\0" + zlib.compress(b"x" * 400))
    ),
    "png of 16 bits": png(
        integers(RGB, 16), 16, 2, chunk(b"iCCP", b"broken\0\0" + zlib.compress(b"x" * 400))
    ),
    "png, far too large": png(
        integers(RGB, 8), 8, 2, chunk(b"iCCP", b"broken\0\0" + zlib.compress(bytes(20_000_000)))
    ),
    "tiff": tiff(integers(RGB, 8), photometric="rgb", iccprofile=b"x" * 400),
    "tiff of floats": _float_tiff(iccprofile=b"x" * 400),
    "for grey alone": png(
        integers(RGB, 16),
        16,
        2,
        chunk(b"iCCP", b"grey\0\0" + zlib.compress(profile(b"GRAY", 1.8))),
    ),
}


@pytest.mark.parametrize("name", BROKEN_PROFILES)
def test_a_profile_that_is_of_no_use_is_noted(tmp_path: Path, name: str) -> None:
    """The picture is read without it."""
    picture = load(tmp_path, BROKEN_PROFILES[name])
    assert np.abs(picture.pixels - RGB).max() < 1 / 255
    (note,) = picture.notes
    assert note.startswith("colour profile ignored")


def test_a_part_of_a_profile_is_noted(tmp_path: Path) -> None:
    """A JPEG that holds the second of two segments alone."""
    data = _jpeg()
    body = b"ICC_PROFILE\0\x02\x02" + b"x" * 200
    data = data[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + data[2:]
    (note,) = load(tmp_path, data).notes
    assert note.startswith("colour profile ignored")


@pytest.mark.parametrize("gamma", [1.8, 2.2, 2.4])
def test_curves_agree_with_little_cms(tmp_path: Path, gamma: float) -> None:
    """The same profile in 8 bits, by Little CMS, and in 16, by curves and matrix of our own."""
    swapped = profile(b"RGB ", gamma, SWAPPED)
    iccp = chunk(b"iCCP", b"x\0\0" + zlib.compress(swapped))
    eight, sixteen = (load(tmp_path, png(integers(RGB, n), n, 2, iccp)).pixels for n in (8, 16))
    assert np.abs(eight - sixteen).max() < 2.5 / 255


@pytest.mark.parametrize("most", [3.0, 12.0])
def test_light_of_more_than_white_is_not_taken_for_255(tmp_path: Path, most: float) -> None:
    """Most of it is beyond 1: then the brightest is white, and the picture not black."""
    picture = load(tmp_path, tiff((GREY * (most - 1) + 1).astype(np.float32)))
    assert picture.pixels.max() == 1
    assert picture.pixels.mean() > 0.3


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned(tmp_path: Path, suffix: str, orientation: int) -> None:
    """By EXIF in a PNG, by its tag in a TIFF."""
    if suffix == "png":
        exif = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 274, 3, 1, orientation, 0, 0)
        data = png(integers(RGB, 16), 16, 2, chunk(b"eXIf", exif))
    else:
        tag = (274, "H", 1, orientation, True)
        data = tiff(integers(GREY, 16), extratags=[tag])
    shown = turned(RGB if suffix == "png" else np.repeat(GREY[:, :, None], 3, 2), orientation)
    assert load(tmp_path, data).pixels == pytest.approx(shown, abs=1e-4)


def test_adobe_rgb_told_by_exif(tmp_path: Path) -> None:
    """Cameras tell it by an index of DCF, with no profile."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03"}}
    path = tmp_path / "picture"
    Image.new("RGB", (16, 16), (100, 200, 100)).save(path, "JPEG", exif=exif, quality=98)
    picture = load(tmp_path, path.read_bytes())
    # by hand: linear Adobe RGB, then to linear sRGB (the matrix of Bruce Lindbloom), then encoded
    light = (np.array([100, 200, 100]) / 255) ** 2.19921875
    matrix = [[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]]
    expected = encoded(np.clip(np.array(matrix) @ light, 0, 1))
    assert picture.pixels[8, 8] == pytest.approx(expected, abs=0.02)


def test_high_dynamic_range_is_cut_off_at_white_and_noted(tmp_path: Path) -> None:
    """SMPTE ST 2084: 203 cd/m2, the code 0.5807, is white; what is brighter is as well."""
    values = np.repeat(np.array([0, 0.5807, 0.9])[None, :, None], 3, axis=2)
    cicp = chunk(b"cICP", bytes([1, 16, 0, 1]))
    picture = load(tmp_path, png(integers(values, 16), 16, 2, cicp))
    assert picture.pixels[0, :, 0] == pytest.approx([0, 1, 1], abs=0.002)
    assert "brighter than white" in picture.notes[0]


def test_values_of_narrow_range_are_widened(tmp_path: Path) -> None:
    """cICP without the flag of full range: 16 is black, 235 white."""
    values = np.repeat(np.array([16, 235], np.uint8)[None, :, None], 3, axis=2)
    picture = load(tmp_path, png(values, 8, 2, chunk(b"cICP", bytes([1, 13, 0, 0]))))
    assert picture.pixels[0, :, 0] == pytest.approx([0, 1], abs=0.005)


def test_a_few_odd_numbers_are_black_and_noted(tmp_path: Path) -> None:
    """NaN, infinity and negative ones among floats."""
    values = GREY.astype(np.float32)
    values[0, :3] = [np.nan, -5, np.inf]
    picture = load(tmp_path, tiff(values))
    assert picture.pixels[0, :3, 0].tolist() == [0, 0, 1]
    assert picture.pixels[1:] == pytest.approx(np.repeat(GREY[1:, :, None], 3, axis=2), abs=1e-6)
    assert picture.notes[0].startswith("3 of its 209 values lie outside")
