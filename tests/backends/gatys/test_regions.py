"""Which part of the content takes which styles, and from which part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support.gatys import narrow, painting, photograph, plain, run, task

from nstd.backend import Style
from nstd.backends.gatys.network_cache import network_for
from nstd.backends.gatys.objective import Objective
from nstd.backends.gatys.pyramid import Level
from nstd.backends.gatys.regions import regions
from nstd.backends.gatys.tensors import to_tensor
from nstd.errors import BackendError

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels

DARK, LIGHT = plain(64, 64, 0.05), plain(64, 64, 0.95)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)


def part(height: int, width: int, left: float, right: float) -> Mask:
    """White between two shares of the width."""
    mask = np.zeros((height, width), np.float32)
    mask[:, round(left * width) : round(right * width)] = 1
    return mask


LEFT, RIGHT, NOTHING = part(64, 80, 0, 0.5), part(64, 80, 0.5, 1), part(64, 80, 0, 0)


def halves(*styles: Style, **options: Any) -> tuple[float, float]:
    """How bright a picture in `styles` is on its left and on its right."""
    made = run(task(None, *styles, strength=0.9, steps=25, **options))[0].pixels
    return float(made[:, :36].mean()), float(made[:, 44:].mean())


def test_each_region_takes_its_own_style() -> None:
    """Dark on the one side and light on the other, whichever is named first."""
    left, right = halves(Style(DARK, region=LEFT), Style(LIGHT, region=RIGHT))
    assert left + 0.25 < right
    left, right = halves(Style(DARK, region=RIGHT), Style(LIGHT, region=LEFT))
    assert right + 0.25 < left


def test_a_style_without_region_fills_what_no_region_claims() -> None:
    """As if the rest had been painted."""
    left, right = halves(Style(DARK, region=LEFT), Style(LIGHT))
    expected = halves(Style(DARK, region=LEFT), Style(LIGHT, region=RIGHT))
    assert_allclose((left, right), expected, atol=1e-3)


def test_what_no_style_claims_stays_like_the_content() -> None:
    """Only the region is painted, up to the width of the network's view."""
    content = photograph()
    made = run(task(content, Style(LIGHT, region=LEFT), tv_weight=0, steps=25))[0].pixels
    change = np.abs(made - content).mean((0, 2))
    assert change[70:].max() < 0.1 * change[:20].min()


def test_a_region_of_everything_is_no_region() -> None:
    """A white mask changes nothing, on the content or on the style.

    In few steps: every one of them lets the rounding grow.
    """
    white = np.ones((64, 80), np.float32)
    style = painting()
    expected = run(task(None, Style(style), steps=5))[0].pixels
    for masked in (Style(style, region=white), Style(style, mask=white[:, :64])):
        assert_allclose(run(task(None, masked, steps=5))[0].pixels, expected, atol=1e-3)


def test_styles_of_the_same_region_mix() -> None:
    """They are one region by what they show, not by which array holds it."""
    (both,) = regions(task(None, Style(DARK, region=LEFT), Style(LIGHT, region=LEFT.copy())))
    assert len(both.paintings) == 2
    left, _ = halves(Style(DARK, region=LEFT), Style(LIGHT, region=LEFT.copy()))
    assert halves(Style(DARK, region=LEFT))[0] < left < halves(Style(LIGHT, region=LEFT))[0]


def test_only_the_masked_part_of_a_style_counts() -> None:
    """Of a picture that is half dark and half light."""
    style = np.concatenate([DARK[:, :32], LIGHT[:, 32:]], axis=1)
    dark = halves(Style(style, mask=part(64, 64, 0, 0.4)))
    light = halves(Style(style, mask=part(64, 64, 0.6, 1)))
    assert max(dark) + 0.4 < min(light)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_masks_are_as_large_as_what_they_mask(scale: float) -> None:
    """On a level, and with the style's scale."""
    style = Style(painting(40, 70), scale=scale, region=LEFT, mask=part(40, 70, 0, 0.5))
    (region,) = regions(task(None, style))
    at = region.at(Level(32, 40, 1))
    (painted,) = at.paintings
    assert at.where is not None
    assert painted.mask is not None
    assert at.where.shape == (1, 1, 32, 40)
    assert painted.mask.shape[2:] == painted.picture.shape[2:]
    assert painted.mask.mean() == pytest.approx(0.5, abs=0.02)


def test_a_small_style_grows_with_supersampling_alone() -> None:
    """By as much as the result is made smaller: its strokes have the same size in the result."""
    (region,) = regions(task(None, Style(painting(40, 30))))
    (same,) = region.at(Level(200, 100, 1)).paintings
    (twice,) = region.at(Level(200, 100, 1, supersampling=2.0)).paintings
    assert same.picture.shape[2:] == (40, 30)
    assert twice.picture.shape[2:] == (80, 60)


def test_regions_count_by_their_area() -> None:
    """A grey mask counts as grey; the rest is what overlapping regions leave."""
    styles = [
        Style(DARK, region=LEFT),
        Style(DARK, region=RIGHT * 0.5),
        Style(DARK, region=part(64, 80, 0, 0.75)),
        Style(LIGHT),
    ]
    shares = [region.share for region in regions(task(None, *styles))]
    assert shares == [0.5, 0.25, 0.75, 0.125]


def test_the_loss_of_a_region_counts_by_its_share() -> None:
    """Of two regions with a quarter and three quarters of the content."""
    quarter = part(64, 80, 0, 0.25)
    styles = Style(DARK, region=quarter), Style(LIGHT, region=1 - quarter)
    content = photograph()
    options = task().options
    network = network_for(task(content, *styles), None, {})
    level, x = Level(64, 80, 1), to_tensor(content, "cpu")

    def style(*chosen: Style) -> float:
        parts = [region.at(level) for region in regions(task(content, *chosen))]
        objective = Objective(network, x, parts, options)
        return objective(0.3 * x + 0.7).terms["style"]

    dark, light = (style(one) for one in styles)
    assert abs(dark - light) > 0.01 * light
    assert style(*styles) == pytest.approx(0.25 * dark + 0.75 * light, rel=1e-4)


def test_a_region_that_holds_nothing_is_left_out() -> None:
    """Its style does not count; neither does one whose mask is black."""
    (region,) = regions(task(None, Style(DARK, region=NOTHING), Style(LIGHT)))
    assert region.where is None or float(region.where.min()) == 1
    black = np.zeros((64, 64), np.float32)
    (region,) = regions(task(None, Style(DARK, mask=black), Style(LIGHT)))
    assert len(region.paintings) == 1


@pytest.mark.parametrize(
    "styles",
    [
        (Style(DARK, region=NOTHING),),
        (Style(DARK, mask=np.zeros((64, 64), np.float32)),),
        (Style(DARK, region=LEFT + RIGHT, mask=np.zeros((64, 64), np.float32)), Style(LIGHT)),
    ],
)
def test_nothing_left_is_an_error(styles: tuple[Style, ...]) -> None:
    """It says so before any work is done."""
    with pytest.raises(BackendError) as caught:
        run(task(None, *styles))
    assert caught.value.code == "picture_refused"
    assert caught.value.hint


def test_a_tiny_region_does_no_harm() -> None:
    """One pixel has no variance; no matrix is singular for it."""
    one = NOTHING.copy()
    one[20, 30] = 1
    content: Pixels = photograph()
    for loss in ("moments", "gram", "w2"):
        styles = Style(painting(), region=one), Style(painting(seed=1))
        made = run(task(content, *styles, style_loss=loss, steps=6))[0].pixels
        assert np.isfinite(made).all()


def test_regions_work_with_every_optimiser_and_level() -> None:
    """Two levels, Adam, and the same picture twice."""
    left = part(64, 256, 0, 0.5)
    job = task(
        photograph(64, 256), Style(DARK, region=left), Style(LIGHT), optimizer="adam", steps=30
    )
    first, second = run(job)[0].pixels, run(job)[0].pixels
    assert_array_equal(first, second)
    assert first[:, :100].mean() < first[:, 156:].mean()
