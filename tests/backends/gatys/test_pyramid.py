"""The levels of the pyramid."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nstd.backends.gatys.options import Options
from nstd.backends.gatys.pyramid import (
    COARSEST,
    NARROWEST,
    SUPERSAMPLED,
    levels_of,
    plan,
    sizes,
)
from nstd.backends.gatys.resizing import carry, resize, shrink


def test_each_level_is_twice_the_one_before() -> None:
    """512 px start at 128 px."""
    assert sizes(384, 512) == [(96, 128), (192, 256), (384, 512)]


def test_two_levels_an_octave_grow_by_the_root_of_two() -> None:
    """512 px start at 128 px; every second level is twice as large."""
    assert [width for _, width in sizes(384, 512, 2)] == [128, 181, 256, 362, 512]
    assert sizes(384, 512, 2)[::2] == sizes(384, 512)


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([1, 2]))
def test_no_level_is_below_the_least_sizes(height: int, width: int, per_octave: int) -> None:
    """Unless the picture itself is; a level less would be one too few."""
    *coarser, full = sizes(height, width, per_octave)
    assert full == (height, width)
    assert all(max(size) >= COARSEST and min(size) >= NARROWEST for size in coarser)
    longest, shortest = (side(height, width) / 2 ** (1 / per_octave) for side in (max, min))
    assert bool(coarser) == (longest >= COARSEST and shortest >= NARROWEST)


@pytest.mark.parametrize("size", [(1, 700), (40, 2000), (16, 16), (1, 1), (255, 255)])
def test_small_and_narrow_pictures_have_one_level(size: tuple[int, int]) -> None:
    """No level is made in which the deepest layers would see nothing."""
    assert sizes(*size) == [size]


def test_the_last_number_serves_all_further_levels() -> None:
    """A 2048 px picture has five levels, the preset only three numbers."""
    levels = plan(2048, 2048, (30, 20, 10))
    assert [level.evaluations for level in levels] == [30, 20, 10, 10, 10]


@pytest.mark.parametrize("total", [1, 2, 5, 7, 100, 299])
def test_steps_are_shared_exactly(total: int) -> None:
    """The levels' evaluations add up to the number asked for; the last has the full size."""
    levels = plan(512, 512, (150, 100, 50), total)
    assert sum(level.evaluations for level in levels) == total
    assert (levels[-1].height, levels[-1].width) == (512, 512)


def test_fine_ends_at_twice_the_size_and_normal_at_the_size_asked_for() -> None:
    """Both begin at the same size."""
    normal, fine = (
        levels_of(Options.model_validate({"preset": preset}), 384, 512)
        for preset in ("normal", "fine")
    )
    assert [level.width for level in normal] == [128, 256, 512]
    assert [level.width for level in fine] == [128, 256, 512, 1024]
    assert {level.supersampling for level in normal} == {1.0}
    assert {level.supersampling for level in fine} == {2.0}


def test_a_large_picture_is_painted_less_larger_or_not_at_all() -> None:
    """Up to the most pixels that are worth it."""
    large, *_, finest = levels_of(Options(preset="fine"), 1500, 2000)
    assert 1 < finest.supersampling == large.supersampling < 2
    assert finest.pixels == pytest.approx(SUPERSAMPLED, rel=0.01)
    *_, finest = levels_of(Options(preset="fine"), 3000, 4000)
    assert (finest.width, finest.supersampling) == (4000, 1.0)


def test_a_level_costs_its_pixels_times_its_evaluations() -> None:
    """The share of the work done follows from it."""
    (level,) = plan(10, 20, (3,))
    assert level.cost == 600


def test_carry_keeps_the_detail_of_the_content() -> None:
    """An unchanged picture arrives as the finer content itself, not as an enlarged copy."""
    fine = torch.rand(1, 3, 32, 32)
    coarse = resize(fine, 16, 16)
    torch.testing.assert_close(carry(coarse, coarse, fine), fine)


def test_carry_brings_the_change_along() -> None:
    """A uniform change is the same on the finer level, within [0, 1]."""
    fine = torch.full((1, 3, 8, 8), 0.5)
    coarse = torch.full((1, 3, 4, 4), 0.5)
    torch.testing.assert_close(carry(coarse + 0.2, coarse, fine), fine + 0.2)
    assert carry(coarse + 0.9, coarse, fine).max() == 1.0


def test_shrink_never_enlarges() -> None:
    """A smaller picture is left as it is; a larger one keeps its shape."""
    assert shrink(torch.rand(1, 3, 10, 20), 64).shape == (1, 3, 10, 20)
    assert shrink(torch.rand(1, 3, 10, 2000), 200).shape == (1, 3, 1, 200)
