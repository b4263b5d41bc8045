"""Transparency: off a white page and back on it nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nstd.images import off_white, over_white
from nstd.images.alpha import straight

SHARES = st.floats(0, 1, width=32)


@given(
    painted=arrays.arrays(np.float32, (4, 5, 3), elements=SHARES),
    alpha=arrays.arrays(np.float32, (4, 5), elements=st.floats(0.25, 1, width=32)),
)
def test_over_white_a_painting_is_itself(painted: np.ndarray, alpha: np.ndarray) -> None:
    """From a quarter of cover on; nothing is covered less than it was in the content."""
    pixels, cover = off_white(painted, alpha)
    assert 0 <= pixels.min() <= pixels.max() <= 1
    assert (cover >= alpha - 1e-3).all()
    assert over_white(pixels, cover) == pytest.approx(painted, abs=1e-3)


def test_what_needs_no_more_cover_keeps_its_own() -> None:
    """By hand: 0.6 over white at alpha 0.5 is 0.2; where all is white, nothing covers it."""
    painted = np.array([[[0.6, 0.8, 1.0], [1.0, 1.0, 1.0]]], np.float32)
    pixels, cover = off_white(painted, np.array([[128 / 255, 0]], np.float32))
    assert cover.tolist() == [[pytest.approx(128 / 255), 0]]
    assert pixels[0, 0] == pytest.approx([1 - 0.4 * 255 / 128, 1 - 0.2 * 255 / 128, 1], abs=1e-6)


def test_what_is_darker_than_its_cover_can_show_covers_more() -> None:
    """Black on what was half transparent is black; what was cut out stays cut out."""
    alpha = np.array([[128 / 255, 0]], np.float32)
    pixels, cover = off_white(np.zeros((1, 2, 3), np.float32), alpha)
    assert cover.tolist() == [[1, 0]]
    assert pixels[0, 0].tolist() == [0, 0, 0]


def test_a_soft_edge_has_no_dark_halo() -> None:
    """However dark the painting is there: it covers at most four times as much as the content."""
    alpha = np.linspace(0, 1, 11, dtype=np.float32)[None]
    _, cover = off_white(np.full((1, 11, 3), 0.1, np.float32), alpha)
    assert (np.diff(cover) >= 0).all()
    assert cover[0, 1] == pytest.approx(0.4, abs=0.01)


def test_straight_pixels_are_divided_by_their_alpha() -> None:
    """0.2 at alpha 0.5 is 0.4; where alpha is 0, nothing is there to be divided."""
    pixels = np.full((1, 2, 3), 0.2, np.float32)
    made = straight(pixels, np.array([[0.5, 0]], np.float32))
    assert made[0, :, 0] == pytest.approx([0.4, 0.2])
