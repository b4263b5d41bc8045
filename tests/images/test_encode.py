"""Encoding: formats, colours, alpha and the recipe inside the file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from nstd.documents.model import Format
from nstd.errors import BackendError, PictureError
from nstd.images.alpha import over_white
from nstd.images.decode import Array, load_image
from nstd.images.encode import read_recipe, save_image, save_preview

FORMATS: tuple[Format, ...] = get_args(get_args(Format)[0])
RECIPE = json.dumps({"content": "Bäume 日本.jpg", "seed": 7}, ensure_ascii=False)


def smooth(height: int = 40, width: int = 60) -> Array:
    """A picture of soft colours, which lossy formats keep well."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.stack([x, y, (x + y) / 2], axis=2).astype(np.float32)


def reload(path: Path) -> Array:
    return load_image(path, max_pixels=10**6, max_bytes=10**7).pixels


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip(tmp_path: Path, format: Format) -> None:
    """What was written is read again: exactly from PNG and TIFF, closely from JPEG and WebP."""
    path = tmp_path / "result.tmp"
    save_image(path, smooth(), format=format, recipe=RECIPE)
    difference = np.abs(reload(path) - smooth())
    assert difference.max() <= 0.51 / 255 if format in ("png", "tiff") else difference.mean() < 0.01


@pytest.mark.parametrize("format", FORMATS)
def test_recipe_is_read_back(tmp_path: Path, format: Format) -> None:
    """The recipe comes back as it went in, with every letter of every script."""
    path = tmp_path / "a"
    save_image(path, smooth(), format=format, recipe=RECIPE)
    assert read_recipe(path) == RECIPE


@pytest.mark.parametrize("format", FORMATS)
def test_long_recipes_do_not_fail_the_job(tmp_path: Path, format: Format) -> None:
    """A recipe that a JPEG cannot hold is left out there and kept elsewhere."""
    recipe = json.dumps({"losses": [0.5] * 20_000})
    save_image(tmp_path / "a", smooth(), format=format, recipe=recipe)
    assert read_recipe(tmp_path / "a") == (None if format == "jpg" else recipe)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_other_pictures_have_no_recipe(tmp_path: Path, suffix: str) -> None:
    """A description that somebody else wrote is not taken for a recipe."""
    exif = Image.Exif()
    exif[0x010E] = "a holiday"
    Image.new("RGB", (4, 4)).save(tmp_path / f"a.{suffix}", exif=exif)
    assert read_recipe(tmp_path / f"a.{suffix}") is None


@pytest.mark.parametrize("format", FORMATS)
def test_profile_is_embedded_and_files_repeat(tmp_path: Path, format: Format) -> None:
    """Every file says that it is sRGB, and equal pictures give equal bytes."""
    for name in ("a", "b"):
        save_image(tmp_path / name, smooth(), format=format, recipe=RECIPE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with Image.open(tmp_path / "a") as image:
        assert b"sRGB" in image.info["icc_profile"].replace(b"\0", b"")


@pytest.mark.parametrize("format", ["png", "webp", "tiff"])
def test_alpha_is_put_back(tmp_path: Path, format: Format) -> None:
    """Formats with transparency return the alpha that was given."""
    alpha = smooth()[:, :, 0].copy()
    save_image(tmp_path / "a", smooth(), alpha=alpha, format=format, recipe=RECIPE)
    loaded = load_image(tmp_path / "a", max_pixels=10**6, max_bytes=10**7)
    assert loaded.alpha is not None
    assert np.abs(loaded.alpha - alpha).max() <= 0.51 / 255


def test_jpeg_shows_alpha_over_white(tmp_path: Path) -> None:
    """A JPEG has no transparency: hidden parts are white, half-hidden ones half white."""
    black, alpha = np.zeros((16, 16, 3), np.float32), np.zeros((16, 16), np.float32)
    alpha[8:] = 0.5
    save_image(tmp_path / "a", black, alpha=alpha, format="jpg", recipe=RECIPE)
    assert reload(tmp_path / "a")[2, 2] == pytest.approx(1, abs=0.02)
    assert reload(tmp_path / "a")[13, 2] == pytest.approx(0.5, abs=0.02)


def test_over_white_is_computed_by_hand() -> None:
    """0.2 at alpha 0.5 is 0.6 over white."""
    pixels, alpha = np.full((1, 1, 3), 0.2, np.float32), np.full((1, 1), 0.5, np.float32)
    assert over_white(pixels, alpha)[0, 0] == pytest.approx([0.6] * 3)


def test_jpeg_keeps_full_colour_resolution(tmp_path: Path) -> None:
    """Chroma is not subsampled: a one-pixel red line stays red."""
    pixels = np.zeros((16, 16, 3), np.float32)
    pixels[:, 7, 0] = 1
    save_image(tmp_path / "a", pixels, format="jpg", recipe=RECIPE)
    assert reload(tmp_path / "a")[8, 7, 0] > 0.85


def test_values_are_rounded_and_clipped(tmp_path: Path) -> None:
    """Values outside [0, 1] are clipped, others go to the nearest of the 256 levels."""
    pixels = np.array([[[-0.5, 1.5, 0.4999]]], np.float32)
    save_image(tmp_path / "a", pixels, format="png", recipe=RECIPE)
    assert np.rint(reload(tmp_path / "a") * 255).tolist() == [[[0, 255, 127]]]


@pytest.mark.parametrize("bad", [np.full((4, 4, 3), np.nan), np.zeros((4, 4)), np.zeros((0, 4, 3))])
def test_what_is_no_picture_is_the_backends_fault(tmp_path: Path, bad: Array) -> None:
    """NaN, a missing channel or no pixels at all are refused before anything is written."""
    with pytest.raises(BackendError) as caught:
        save_image(tmp_path / "a", bad, format="png", recipe=RECIPE)
    assert caught.value.code == "backend_failed"
    assert not (tmp_path / "a").exists()


def test_sides_that_a_format_cannot_hold(tmp_path: Path) -> None:
    """WebP ends at 16383 pixels a side; the error names a format that does not."""
    pixels = np.zeros((1, 16_384, 3), np.float32)
    with pytest.raises(PictureError, match="16383") as caught:
        save_image(tmp_path / "a", pixels, format="webp", recipe=RECIPE)
    assert "png" in caught.value.hint
    save_image(tmp_path / "a", pixels, format="png", recipe=RECIPE)


def test_preview_is_a_small_jpeg() -> None:
    """A preview is a JPEG whose longest side is 512, and smaller pictures are not enlarged."""
    for size, expected in (((600, 1200), (512, 256)), ((30, 60), (60, 30))):
        with Image.open(io.BytesIO(save_preview(smooth(*size)))) as image:
            assert (image.format, image.size) == ("JPEG", expected)
