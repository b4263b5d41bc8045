"""Decoding: what is read, how it looks as sRGB floats, and what is refused in which words."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from nstd.errors import PictureError
from nstd.images.decode import load_image
from nstd.images.model import Picture

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (24, 36, 3), dtype=np.uint8)
LEFT_RED = np.zeros((20, 30, 3), np.uint8)
LEFT_RED[:, :15, 0] = 255


def load(path: Path, **limits: Any) -> Picture:
    return load_image(path, **({"max_pixels": 10**7, "max_bytes": 10**7} | limits))


def refusal(path: Path, **limits: Any) -> PictureError:
    with pytest.raises(PictureError) as caught:
        load(path, **limits)
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp", "ppm", "webp", "gif", "jpg"])
def test_every_format_gives_float_srgb(tmp_path: Path, suffix: str) -> None:
    """Each usual format decodes to (height, width, 3) float32 with the colours that went in."""
    options: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    picture = load(save(tmp_path / f"a.{suffix}", Image.fromarray(LEFT_RED), **options))
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.flags.c_contiguous
    assert picture.size == (30, 20)
    assert picture.alpha is None
    assert np.abs(picture.pixels[:, [2, 27]] - LEFT_RED[:, [2, 27]] / 255).max() < 0.03


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    """A PNG called .jpg is read as what it is."""
    assert load(save(tmp_path / "a.jpg", Image.fromarray(NOISE), format="PNG")).size == (36, 24)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    """Whatever way the camera was held, the red half ends where the photographer saw it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    red = load(save(tmp_path / f"a.{suffix}", Image.fromarray(LEFT_RED), exif=exif)).pixels[..., 0]
    centres = {"left": red[:, :8], "right": red[:, -8:], "top": red[:8], "bottom": red[-8:]}
    side = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top"}
    side |= {7: "bottom", 8: "bottom"}
    assert max(centres, key=lambda name: centres[name].mean()) == side[orientation]


def test_broken_exif_does_not_matter(tmp_path: Path) -> None:
    """Damaged EXIF costs neither the picture nor a warning."""
    path = save(tmp_path / "a.jpg", Image.fromarray(NOISE), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert load(path).size == (36, 24)


def test_colour_profile_is_converted(tmp_path: Path) -> None:
    """A picture in a profile whose green is duller gives the sRGB colour that it means."""
    path = save(
        tmp_path / "a.png", Image.new("RGB", (4, 4), (0, 255, 0)), icc_profile=_swapped_profile()
    )
    assert load(path).pixels[0, 0] == pytest.approx([1, 0, 0], abs=0.02)


def _swapped_profile() -> bytes:
    """An sRGB profile with the red and green primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


def test_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    """A picture that says it is sRGB keeps its values exactly."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = load(save(tmp_path / "a.png", Image.fromarray(NOISE), icc_profile=profile))
    assert np.array_equal(np.rint(picture.pixels * 255), NOISE)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "CMYK"])
def test_broken_profile_is_noted_and_ignored(tmp_path: Path, mode: str) -> None:
    """Garbage for a profile is told in a note and the picture is used without it."""
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    save(path, Image.new(mode, (4, 4)), icc_profile=b"garbage" * 40)
    picture = load(path)
    assert picture.pixels.shape == (4, 4, 3)
    assert "profile" in picture.notes[0]


def test_grey_picture_with_an_rgb_profile(tmp_path: Path) -> None:
    """A grey JPEG that carries an sRGB profile, as scanners write, is used with it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = load(save(tmp_path / "a.jpg", Image.new("L", (8, 8), 100), icc_profile=profile))
    assert picture.notes == ()
    assert picture.pixels == pytest.approx(100 / 255, abs=0.01)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    """A CMYK JPEG, which Adobe stores inverted, gives the colour and not its negative."""
    picture = load(save(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0))))
    assert picture.pixels[0, 0] == pytest.approx([1, 0, 0], abs=0.05)


def test_grey_one_bit_and_palette(tmp_path: Path) -> None:
    """Grey, 1-bit and palette pictures come out in three channels of the right values."""
    grey = Image.new("L", (4, 4), 51)
    assert load(save(tmp_path / "l.png", grey)).pixels == pytest.approx(0.2)
    assert load(save(tmp_path / "1.png", Image.new("1", (4, 4), 1))).pixels == pytest.approx(1.0)
    palette = Image.new("RGB", (4, 4), (255, 0, 51)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert load(save(tmp_path / "p.png", palette)).pixels[0, 0] == pytest.approx([1, 0, 0.2])


def test_sixteen_bit_grey_keeps_its_depth(tmp_path: Path) -> None:
    """A 16-bit ramp keeps steps that 8 bits could not hold."""
    ramp = np.linspace(0, 65535, 4096, dtype=np.uint16).reshape(1, -1)
    for suffix in ("png", "tiff"):
        grey = load(save(tmp_path / f"a.{suffix}", Image.fromarray(ramp))).pixels[0, :, 0]
        assert grey == pytest.approx(ramp[0] / 65535, abs=1e-6)
        assert len(np.unique(grey)) == 4096


def test_sixteen_bit_rgb_png(tmp_path: Path) -> None:
    """A PNG of 16 bits a channel is read; a channel's high byte is what counts."""
    path = tmp_path / "a.png"
    row = b"\0" + struct.pack(">3H", 65535, 0, 0x8080) * 2
    path.write_bytes(_png(2, 1, 16, 2, row))
    assert load(path).pixels[0, 0] == pytest.approx([1, 0, 128 / 255], abs=0.003)


def _png(width: int, height: int, depth: int, color: int, rows: bytes) -> bytes:
    from zlib import compress, crc32

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_float_tiff_is_scaled_to_one(tmp_path: Path, white: float) -> None:
    """A float TIFF is read whether its white is 1, 255 or 65535; NaN and negatives are black."""
    values = np.array([[-1.0, np.nan, 0.0, 0.5 * white, white]], dtype=np.float32)
    pixels = load(save(tmp_path / "a.tiff", Image.fromarray(values))).pixels
    assert pixels[0, :, 1] == pytest.approx([0, 0, 0, 0.5, 1], abs=1e-4)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_straight(tmp_path: Path, mode: str) -> None:
    """Alpha comes beside the colours, which are not multiplied by it."""
    color = (200, 100, 50, 51) if mode == "RGBA" else (200, 51)
    picture = load(save(tmp_path / "a.png", Image.new(mode, (4, 3), color)))
    assert picture.alpha is not None
    assert picture.alpha.shape == (3, 4)
    assert picture.alpha == pytest.approx(0.2)
    assert picture.pixels[0, 0, 0] == pytest.approx(200 / 255)


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1"])
def test_a_transparent_colour_becomes_alpha(tmp_path: Path, mode: str) -> None:
    """One colour marked as transparent, in any mode, is alpha 0 where it stands."""
    image = Image.new("L", (4, 4), 255).convert(mode)
    key = (255, 255, 255) if mode == "RGB" else image.getpixel((0, 0))
    image.paste(0 if mode != "RGB" else (0, 0, 0), (0, 0, 2, 4))
    picture = load(save(tmp_path / "a.png", image, transparency=key))
    assert picture.alpha is not None
    assert picture.alpha[0].tolist() == [1, 1, 0, 0]


def test_downscaling_leaves_no_dark_fringes(tmp_path: Path) -> None:
    """Next to hidden black, a red shape stays pure red however it is made smaller."""
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (30, 30, 70, 70))
    picture = load(save(tmp_path / "a.png", image), max_side=33)
    assert picture.alpha is not None
    assert ((picture.alpha > 0.1) & (picture.alpha < 0.9)).any()
    assert picture.pixels[picture.alpha > 0.1][:, 0].min() > 0.97


def test_max_side_shrinks_and_never_enlarges(tmp_path: Path) -> None:
    """The longest side obeys `max_side`, the shape is kept, and small pictures stay as they are."""
    path = save(tmp_path / "a.png", Image.fromarray(NOISE))
    assert load(path, max_side=18).size == (18, 12)
    assert load(path, max_side=500).size == (36, 24)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
def test_what_is_asked_for_larger_is_enlarged_and_noted(tmp_path: Path, mode: str) -> None:
    """Up to four times, with its shape, whatever the file holds; a larger one gets smaller."""
    path = save(tmp_path / "a.png", Image.new(mode, (36, 24)))
    picture = load(path, max_side=144, enlarge=True)
    assert picture.size == (144, 96)
    assert picture.notes == ("enlarged from 36 x 24 to 144 x 96 pixels, as was asked for",)
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 1
    smaller = load(path, max_side=18, enlarge=True)
    assert (smaller.size, smaller.notes) == ((18, 12), ())


def test_more_than_four_times_the_size_is_refused_with_what_is_possible(tmp_path: Path) -> None:
    """Also where the enlarged picture would have more pixels than are allowed."""
    path = save(tmp_path / "a.png", Image.fromarray(NOISE))
    error = refusal(path, max_side=145, enlarge=True)
    assert error.code == "picture_refused"
    assert "a.png: 36 x 24 pixels" in error.message
    assert "at most 144" in error.hint
    error = refusal(path, max_side=144, enlarge=True, max_pixels=5000)
    assert (error.code, "limits.picture_pixels" in error.hint) == ("picture_refused", True)


@pytest.mark.parametrize("size", [(1, 60000), (60000, 1)])
def test_extreme_shapes(tmp_path: Path, size: tuple[int, int]) -> None:
    """A line of pixels is a picture, whole and made smaller."""
    path = save(tmp_path / "a.png", Image.new("RGB", size, "red"))
    assert load(path).size == size
    assert max(load(path, max_side=512).size) == 512
    assert min(load(path, max_side=512).size) == 1


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_several_frames_are_refused(tmp_path: Path, suffix: str) -> None:
    """Animated GIF, APNG and WebP and TIFFs of several pages are refused by name and reason."""
    frames = [Image.fromarray(NOISE), Image.fromarray(NOISE[::-1].copy())]
    path = save(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:])
    error = refusal(path)
    assert error.code == "picture_refused"
    assert ("pages" if suffix == "tiff" else "animated") in error.message


def test_the_photograph_of_a_phone_with_a_second_picture(tmp_path: Path) -> None:
    """Phones put a depth or gain map behind the photograph; the photograph is read."""
    frames = [Image.fromarray(LEFT_RED), Image.new("RGB", (30, 20), "blue")]
    path = save(
        tmp_path / "a.jpg", frames[0], format="MPO", save_all=True, append_images=frames[1:]
    )
    assert load(path).pixels[5, 5, 0] > 0.9


def test_missing_picture(tmp_path: Path) -> None:
    """A name without a file is `picture_missing`."""
    assert refusal(tmp_path / "none.jpg").code == "picture_missing"


def test_only_regular_files(tmp_path: Path) -> None:
    """A folder, a link and a FIFO are refused, and the FIFO without waiting for its writer."""
    target = save(tmp_path / "a.png", Image.fromarray(NOISE))
    (tmp_path / "link.png").symlink_to(target)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("link.png", "pipe.png", "folder.png"):
        assert refusal(tmp_path / name).code == "picture_refused"


def test_file_size_cap(tmp_path: Path) -> None:
    """A file over the byte limit is refused, one of just the limit is read."""
    path = save(tmp_path / "a.png", Image.fromarray(NOISE))
    size = path.stat().st_size
    load(path, max_bytes=size)
    error = refusal(path, max_bytes=size - 1)
    assert error.code == "picture_refused"
    assert "limits.picture_bytes" in error.hint


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "bmp"])
@pytest.mark.parametrize("over", [1, 3])
def test_pixel_cap(tmp_path: Path, suffix: str, over: int) -> None:
    """Pictures over the pixel limit are refused, far over or by one pixel, without a warning."""
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(NOISE))
    assert load(path, max_pixels=36 * 24).size == (36, 24)
    error = refusal(path, max_pixels=36 * 24 // over - 1)
    assert error.code == "picture_refused"
    assert "limits.picture_pixels" in error.hint


def test_a_header_that_promises_too_much(tmp_path: Path) -> None:
    """A tiny file that claims 60000 x 60000 pixels is refused; Pillow's own limit is put back."""
    path = tmp_path / "bomb.png"
    path.write_bytes(_png(60000, 60000, 8, 2, b""))
    before = Image.MAX_IMAGE_PIXELS
    assert refusal(path).code == "picture_refused"
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_jpeg_of_endless_scans_is_refused(tmp_path: Path) -> None:
    """Eleven bytes a scan make the decoder pass over all pixels, thousands of times."""
    path = save(tmp_path / "a.jpg", Image.new("L", (2000, 2000)), progressive=True)
    assert load(path).size == (2000, 2000)
    scan = b"\xff\xda\0\x08\x01\x01\0\x01\x3f\x10\0"
    path.write_bytes(path.read_bytes()[:-2] + scan * 100_000 + b"\xff\xd9")
    error = refusal(path)
    assert error.code == "picture_refused"
    assert "scans" in error.message


def test_large_pictures_under_the_limit_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow's own limit, here far exceeded, does not apply: the config's does."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    path = save(tmp_path / "a.png", Image.fromarray(NOISE))
    assert load(path).size == (36, 24)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "bmp", "ppm"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_truncated_files(tmp_path: Path, suffix: str, share: float) -> None:
    """A file cut short anywhere is unreadable; half pictures do not pass."""
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(NOISE))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert refusal(path).code == "picture_unreadable"


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"<svg/>", bytes(4096)])
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    """Empty files, text and bare signatures are unreadable."""
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert refusal(path).code == "picture_unreadable"


def test_formats_that_are_not_opened(tmp_path: Path) -> None:
    """PostScript, which Pillow hands to Ghostscript, is never opened."""
    path = tmp_path / "a.png"
    Image.fromarray(NOISE).save(path, format="EPS")
    assert refusal(path).code == "picture_unreadable"


def _encoded(suffix: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, suffix)
    return buffer.getvalue()


@settings(max_examples=150)
@given(
    data=st.sampled_from([_encoded(s) for s in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")]),
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1),
)
def test_damaged_files_give_a_picture_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, damage: list[tuple[float, int]]
) -> None:
    """Whatever bytes are changed, the answer is a picture or a PictureError, never a warning."""
    broken = bytearray(data)
    for place, value in damage:
        broken[int(place * len(data))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(broken)
    try:
        assert load(path).pixels.shape[2] == 3
    except PictureError as error:
        assert error.code in ("picture_unreadable", "picture_refused")
