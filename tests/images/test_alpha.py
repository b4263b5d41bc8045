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
    alpha=arrays.arrays(np.float32, (4, 5), elements=SHARES),
)
def test_over_white_a_painting_is_itself(painted: np.ndarray, alpha: np.ndarray) -> None:
    """Whatever the content's alpha was; nothing is covered less than it was there."""
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
    """Black on what was wholly transparent is black."""
    pixels, cover = off_white(np.zeros((1, 1, 3), np.float32), np.zeros((1, 1), np.float32))
    assert (pixels.tolist(), cover.tolist()) == ([[[0, 0, 0]]], [[1]])


def test_straight_pixels_are_divided_by_their_alpha() -> None:
    """0.2 at alpha 0.5 is 0.4; where alpha is 0, nothing is there to be divided."""
    pixels = np.full((1, 2, 3), 0.2, np.float32)
    made = straight(pixels, np.array([[0.5, 0]], np.float32))
    assert made[0, :, 0] == pytest.approx([0.4, 0.2])
