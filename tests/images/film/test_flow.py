"""Optical flow against motion that is known, and what is trusted of it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support.motion import HEIGHT, WIDTH, disc, noisy, seen

pytest.importorskip("cv2")

from nstd.errors import PictureError
from nstd.images.film import opencv
from nstd.images.film.extra import film_extra
from nstd.images.film.flow import boundaries, consistent, earlier_of, inside, motion, warped

INNER = np.s_[12:-12, 12:-12]


@pytest.mark.parametrize("way", [(3.0, 0.0), (-2.5, 1.25), (0.4, -0.3), (9.0, 4.0)])
def test_the_way_of_the_camera_is_found(way: tuple[float, float]) -> None:
    """To a few hundredths of a pixel; a result that is moved along lies where it should."""
    flow, certainty = motion(seen(), seen(*way))
    assert np.abs(flow[INNER] - np.array(way)).max() < 0.1
    moved = earlier_of(seen(), seen(*way), seen(seed=7))
    off = np.abs(moved.pixels - seen(*way, seed=7))[INNER]
    assert off.mean() < 0.01
    assert certainty[INNER].min() > 0.9


def test_what_comes_into_view_is_not_trusted() -> None:
    """Neither at the border, nor behind something that moves; the rest is."""
    _, certainty = motion(seen(), seen(right=10))
    assert certainty[:, -9:].max() == 0
    before, was = disc(50)
    now, covers = disc(56)
    _, certainty = motion(before, now)
    assert certainty[was & ~covers].mean() < 0.25
    far = ~(was | covers)
    far[HEIGHT // 2 - 30 : HEIGHT // 2 + 30] = False
    assert certainty[far].min() > 0.9


def test_a_thing_that_moves_is_followed() -> None:
    """Also where the camera is at rest, and the frame around it stays exactly where it is."""
    flow, _ = motion(disc(50)[0], disc(54)[0])
    middle = np.s_[HEIGHT // 2 - 8 : HEIGHT // 2 + 8, 46:62]
    assert np.abs(flow[middle] - (-4, 0)).max() < 0.2
    assert not flow[:, WIDTH - 20 :].any()


def test_noise_does_not_move_a_still_shot() -> None:
    """The camera is at rest, so that the result before is taken as it is, bit for bit."""
    result = seen(seed=3)
    moved = earlier_of(noisy(seen(), 1), noisy(seen(), 2), result)
    assert np.array_equal(moved.pixels, result)
    assert moved.certainty.min() == 1


def test_new_light_is_not_trusted() -> None:
    """Half of the frame darkens between two frames."""
    now = seen()
    now[:, : WIDTH // 2] *= 0.5
    _, certainty = motion(seen(), now)
    assert certainty[:, : WIDTH // 2 - 12].max() == 0
    assert certainty[:, WIDTH // 2 + 12 :].min() == 1


def test_the_tests_of_the_paper_hold_their_limits() -> None:
    """There and back may differ by the root of 0.5 and a tenth of the way; ways may change by
    the root of 0.002 a pixel and a tenth of the way."""
    at_rest = np.zeros((8, 8, 2), np.float32)
    short, long = (np.full((8, 8, 2), (off, 0), np.float32) for off in (0.70, 0.72))
    assert consistent(at_rest, short).all()
    assert not consistent(at_rest, long).any()
    assert consistent(long * 10, -long * 10 + 0.7).all()
    columns = np.indices((8, 8), dtype=np.float32)[1][..., None]
    assert not boundaries(columns * (0.044, 0)).any()
    assert boundaries(columns * (0.046, 0))[:, 0].all()
    assert not boundaries(columns * (0.046, 0) + 1).any()
    assert inside(at_rest).all()
    assert inside(at_rest + np.array([1, 0], np.float32)).sum() == 7 * 8


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (15, 15), (16, 16), (17, 31)])
def test_frames_of_any_size_are_moved(size: tuple[int, int]) -> None:
    """Small ones stay where they are."""
    height, width = size
    one, other = seen()[:height, :width], seen(right=1)[:height, :width]
    moved = earlier_of(one, other, one)
    assert moved.pixels.shape == one.shape
    assert moved.certainty.shape == size


def test_the_same_frames_give_the_same_bits() -> None:
    """Views into larger arrays too."""
    first = earlier_of(seen(), seen(right=2.3), seen(seed=2))
    wide = np.concatenate([seen(right=2.3), seen()], axis=1)
    again = earlier_of(seen(), wide[:, :WIDTH], seen(seed=2))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.certainty, again.certainty)


def test_a_picture_that_is_moved_often_stays_sharp() -> None:
    """Five moves by parts of a pixel, and as many back."""
    there = np.full((HEIGHT, WIDTH, 2), (0.37, -0.41), np.float32)
    picture = seen()
    for way in (there, -there) * 5:
        picture = warped(picture, way)
    assert np.abs(picture - seen())[INNER].mean() < 0.01


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr(opencv, "film_extra", film_extra.__wrapped__)  # which remembers
    with pytest.raises(PictureError) as raised:
        earlier_of(seen(), seen(right=5), seen())
    assert "nstd[film]" in raised.value.hint
