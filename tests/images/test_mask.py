"""Masks: any picture becomes a share of each pixel, and one that leaves nothing is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nstd.errors import PictureError
from nstd.images.mask import load_mask

HALVES = np.zeros((20, 30), np.uint8)
HALVES[:, 15:] = 255


def load(
    path: Path,
    size: tuple[int, int] = (30, 20),
    *,
    max_pixels: int = 10**6,
    max_bytes: int = 10**6,
) -> NDArray[np.float32]:
    return load_mask(path, max_pixels=max_pixels, max_bytes=max_bytes, size=size)


def save(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_grey_picture_is_the_same_mask(tmp_path: Path, mode: str) -> None:
    """Black is 0 and white is 1, as (height, width) float32."""
    image = Image.fromarray(HALVES)
    if mode == "I;16":
        image = Image.fromarray(HALVES.astype(np.uint16) * 257)
    path = save(tmp_path / "m.png", image if mode == "I;16" else image.convert(mode))
    mask = load(path)
    assert (mask.shape, mask.dtype) == ((20, 30), np.dtype("float32"))
    assert np.abs(mask - HALVES / 255).max() < 1e-6
    assert 0 <= mask.min() <= mask.max() <= 1


def test_colours_count_by_their_luma(tmp_path: Path) -> None:
    """Green is brighter than red, and red than blue (BT.709)."""
    image = Image.fromarray(np.diag([255, 255, 255]).astype(np.uint8)[None], mode="RGB")
    assert np.allclose(load(save(tmp_path / "m.png", image), (3, 1)), [[0.2126, 0.7152, 0.0722]])


def test_what_is_transparent_counts_as_black(tmp_path: Path) -> None:
    """A cut-out on a transparent page is a mask, whatever colour the page hides."""
    image = Image.new("LA", (4, 1), (255, 0))
    image.putpixel((1, 0), (255, 255))
    image.putpixel((2, 0), (255, 51))
    assert np.allclose(load(save(tmp_path / "m.png", image), (4, 1)), [[0, 1, 0.2, 0]])


@pytest.mark.parametrize("size", [(30, 20), (90, 60), (11, 7), (1, 1), (7, 300)])
def test_a_mask_is_stretched_without_a_halo(tmp_path: Path, size: tuple[int, int]) -> None:
    """Any size of either shape; along a row it only rises, and the mean is kept."""
    mask = load(save(tmp_path / "m.png", Image.fromarray(HALVES)), size)
    assert mask.shape == size[::-1]
    assert (np.diff(mask, axis=1) >= 0).all()
    assert abs(mask.mean() - 0.5) < 0.02


def test_a_mask_is_turned_like_a_photograph(tmp_path: Path) -> None:
    """The EXIF orientation counts, so that both lie upright over one another."""
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(HALVES).save(tmp_path / "m.png", exif=exif)
    assert np.array_equal(load(tmp_path / "m.png"), HALVES[:, ::-1] / np.float32(255))


@pytest.mark.parametrize(
    "image",
    [Image.new("L", (8, 8)), Image.new("LA", (8, 8), (255, 0)), Image.new("RGB", (8, 8))],
    ids=["black", "transparent", "black in colour"],
)
def test_a_mask_that_leaves_nothing_is_refused(tmp_path: Path, image: Image.Image) -> None:
    """With what to do about it."""
    with pytest.raises(PictureError, match=r"^m\.png: black everywhere") as caught:
        load(save(tmp_path / "m.png", image))
    assert caught.value.code == "picture_refused"
    assert "paint white" in caught.value.hint


def test_a_mask_of_labels_is_told_of(tmp_path: Path) -> None:
    """Values 0 and 1 of 255, as segmentation writes them, look black and let nothing through."""
    told: list[str] = []
    path = save(tmp_path / "m.png", Image.fromarray(HALVES // 255))
    load_mask(path, max_pixels=10**6, max_bytes=10**6, size=(30, 20), on_note=told.append)
    (note,) = told
    assert "nearly black: at its brightest 0.39% of white" in note
    assert "labels" in note


@pytest.mark.parametrize("brightest", [64, 255])
def test_a_mask_with_light_in_it_is_not(tmp_path: Path, brightest: int) -> None:
    """Grey is a share that somebody has chosen."""
    told: list[str] = []
    path = save(tmp_path / "m.png", Image.fromarray(np.minimum(HALVES, brightest)))
    load_mask(path, max_pixels=10**6, max_bytes=10**6, size=(30, 20), on_note=told.append)
    assert told == []


def test_masks_have_the_limits_of_pictures(tmp_path: Path) -> None:
    """Of pixels and of bytes."""
    path = save(tmp_path / "m.png", Image.fromarray(HALVES))
    with pytest.raises(PictureError, match=r"more than the limit of 599 pixels"):
        load(path, max_pixels=599)
    with pytest.raises(PictureError, match=r"more than the limit of 20B"):
        load(path, max_bytes=20)
