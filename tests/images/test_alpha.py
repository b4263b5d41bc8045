"""Transparency: off a white page and back on it nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nstd.images.alpha import off_white, over_white, straight

SHARES = st.floats(0, 1, width=32)


@given(
    painted=arrays.arrays(np.float32, (4, 5, 3), elements=SHARES),
    alpha=arrays.arrays(np.float32, (4, 5), elements=st.floats(1 / 16, 1, width=32)),
)
def test_over_white_a_painting_is_itself(painted: np.ndarray, alpha: np.ndarray) -> None:
    """From an alpha of 1/16 on; nothing is covered less than it was in the content."""
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


def test_what_is_cut_out_stays_so_however_dark_it_was_painted() -> None:
    """Traces of up to 8 of 255, as resizing and soft brushes leave them, cover no more than before.

    In between, cover grows with alpha.
    """
    alpha = (np.arange(17)[None] / 255).astype(np.float32)
    _, cover = off_white(np.zeros((1, 17, 3), np.float32), alpha)
    assert cover[0, :8] == pytest.approx(alpha[0, :8], abs=1e-3)
    assert (np.diff(cover) > 0).all()
    assert cover[0, 16] == 1


def test_no_edge_holds_white_that_was_not_painted() -> None:
    """On a black page each pixel is darker than the painting: one channel of it is black."""
    painted = np.full((1, 16, 3), [0.3, 0.5, 0.7], np.float32)
    pixels, cover = off_white(painted, np.linspace(0.1, 0.6, 16, dtype=np.float32)[None])
    assert pixels[:, :, 0].max() < 0.01
    assert cover[0] == pytest.approx(0.7, abs=1 / 255)


def test_straight_pixels_are_divided_by_their_alpha() -> None:
    """0.2 at alpha 0.5 is 0.4; where alpha is 0, nothing is there to be divided."""
    pixels = np.full((1, 2, 3), 0.2, np.float32)
    made = straight(pixels, np.array([[0.5, 0]], np.float32))
    assert made[0, :, 0] == pytest.approx([0.4, 0.2])
