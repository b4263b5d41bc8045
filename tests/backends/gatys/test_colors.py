"""Whose colours the result has."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from support.gatys import VGG, install_vgg, narrow, painting, photograph, plain, run, task

from nstd.backend import Style
from nstd.backends.gatys.colors import (
    after,
    before,
    grey,
    histogram_matched,
    luma,
    matched,
    recolored,
    with_chroma,
)

if TYPE_CHECKING:
    from nstd.backend import Pixels

RNG = np.random.default_rng(0)
RED = plain(24, 32, 1, 0, 0)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)


def noise(*spread: float, size: int = 40) -> Pixels:
    """Colours around the middle grey that depend on one another."""
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    return np.float32(0.5 + RNG.normal(size=(size, size, 3)) * spread @ turn).clip(0, 1)


def distance(one: Pixels, other: Pixels) -> float:
    """How far the mean colours are from each other."""
    return float(np.abs(one.mean((0, 1)) - other.mean((0, 1))).max())


def chroma(pixels: Pixels) -> Pixels:
    """What is left of the colours without their brightness."""
    return pixels - luma(pixels)


def test_luminance_keeps_the_chroma_of_the_content_exactly() -> None:
    """In the result and in previews of its size, while light and dark are painted."""
    content = photograph()
    result, seen = run(task(content, colors="luminance", steps=20))
    assert seen[-1].picture is not None
    for pixels in (result.pixels, seen[-1].picture()):
        assert_allclose(chroma(pixels), chroma(content), atol=1e-6)
    assert np.abs(luma(result.pixels) - luma(content)).mean() > 0.02


@pytest.mark.parametrize("init", ["content", "noise"])
def test_luminance_works_on_grey_pictures_only(tmp_path: Path, init: str) -> None:
    """No evaluation is wasted on colours that would be thrown away."""
    install_vgg(tmp_path)
    _, seen = run(task(colors="luminance", init=init, steps=8, weights=tmp_path, **VGG))
    assert seen[-1].state is not None
    saved = torch.load(io.BytesIO(seen[-1].state()), weights_only=True)
    picture = saved["state"]["standing"]["iterate"]["point"]["x"].numpy()
    assert picture.shape[1] == 3
    assert np.ptp(picture, axis=1).max() < 1e-5


def test_luma_gives_way_where_the_gamut_ends() -> None:
    """Full red is no brighter and no darker than it is; a pale red may move a little."""
    assert_allclose(with_chroma(plain(24, 32, 1), RED), RED, atol=1e-6)
    pale = plain(24, 32, 0.8, 0.4, 0.4)
    for painted in (plain(24, 32, 1), plain(24, 32, 0)):
        result = with_chroma(painted, pale)
        assert_allclose(chroma(result), chroma(pale), atol=1e-6)
        assert result.min() >= 0
        assert result.max() <= 1
    assert result.min() == pytest.approx(0, abs=1e-6)


def test_a_smaller_preview_gets_the_chroma_of_its_places() -> None:
    """The left half stays red, the right half blue."""
    content = np.concatenate([RED, plain(24, 32, 0, 0, 1)], axis=1)
    small = after(task(content, colors="luminance"))(plain(12, 32, 0.5))
    assert small.shape == (12, 32, 3)
    assert_allclose(small[:, :16], 0 * small[:, :16] + [1, 0, 0], atol=1e-6)
    assert_allclose(small[:, 16:], 0 * small[:, 16:] + [0, 0, 1], atol=1e-6)


def test_the_style_gets_the_luma_of_the_content() -> None:
    """Its mean and its spread, in grey, as Gatys et al. have it."""
    content, style = noise(0.05, 0.05, 0.1), noise(0.1, 0.08, 0.08) * 0.8
    (seen,) = before(task(content, Style(style), colors="luminance")).styles
    assert np.ptp(seen.pixels, axis=2).max() < 1e-5
    assert luma(seen.pixels).mean() == pytest.approx(luma(content).mean(), abs=0.002)
    assert luma(seen.pixels).std() == pytest.approx(luma(content).std(), rel=0.02)


def test_matching_gives_the_mean_and_covariance_of_the_target() -> None:
    """Up to the grain that is added to both, against singular matrices."""
    source, target = noise(0.06, 0.08, 0.1), noise(0.1, 0.05, 0.06)
    made = matched(source, source.reshape(-1, 3), target.reshape(-1, 3)).reshape(-1, 3)
    assert_allclose(made.mean(0), target.mean((0, 1)), atol=1e-3)
    assert_allclose(np.cov(made.T), np.cov(target.reshape(-1, 3).T), atol=3e-4)


def test_histogram_matching_gives_the_distribution_of_the_target() -> None:
    """Along the target's principal axes; the linear match alone does not."""
    target = noise(0.1, 0.03, 0.06)
    target = np.where(target.mean(2, keepdims=True) > 0.5, target, target / 3)  # two humps
    source = noise(0.02, 0.05, 0.1)
    palettes = source.reshape(-1, 3), target.reshape(-1, 3)
    axis = np.linalg.eigh(np.cov(palettes[1].T))[1][:, -1]
    wanted = np.sort(palettes[1] @ axis)

    def error(made: Pixels) -> float:
        return float(np.abs(np.sort(made.reshape(-1, 3) @ axis) - wanted).mean())

    assert error(histogram_matched(source, *palettes)) < 0.01 < error(matched(source, *palettes))


@pytest.mark.parametrize("match", [matched, histogram_matched])
@pytest.mark.parametrize("target", [plain(20, 20, 0.5), RED, photograph(), plain(1, 1, 0)])
@pytest.mark.parametrize("source", [plain(20, 20, 0.2), RED, grey(photograph()), plain(1, 1, 1)])
def test_plain_and_grey_pictures_are_matched_too(
    source: Pixels, target: Pixels, match: Callable[[Pixels, Pixels, Pixels], Pixels]
) -> None:
    """No matrix is singular; one colour becomes about the target's middle one."""
    made = match(source, source.reshape(-1, 3), target.reshape(-1, 3))
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    if np.ptp(source) == 0 or source is RED:
        assert distance(made, np.median(target, (0, 1), keepdims=True)) < 0.3


@pytest.mark.parametrize("colors", ["match", "histogram"])
def test_the_result_has_the_palette_of_the_content(colors: str) -> None:
    """Its mean colour is nearer to the content's than that of a plain transfer."""
    content, style = (
        photograph(),
        Style(noise(0.1, 0.05, 0.08, size=64) * np.array([1, 0.2, 0.2], np.float32)),
    )
    plainly, kept = (
        run(task(content, style, colors=choice, strength=0.9, steps=30))[0].pixels
        for choice in ("style", colors)
    )
    assert distance(kept, content) < 0.5 * distance(plainly, content)


def test_a_style_is_matched_to_its_region() -> None:
    """The one for the red half turns red, the one for the blue half blue."""
    content = np.concatenate([RED, plain(24, 32, 0, 0, 1)], axis=1)
    left = np.zeros((24, 64), np.float32)
    left[:, :32] = 1
    styles = [Style(painting(), region=left), Style(painting(), region=1 - left)]
    red, blue = before(task(content, *styles, colors="match")).styles
    assert red.pixels.mean((0, 1)).argmax() == 0
    assert blue.pixels.mean((0, 1)).argmax() == 2


def test_the_content_is_given_the_palette_of_the_style() -> None:
    """Mean and covariance, as far as [0, 1] holds them; `amount` says how much of the way."""
    content = 0.4 + 0.2 * photograph()
    style = Style(0.3 + 0.3 * painting())
    wholly, half = (recolored(content, [style], amount) for amount in (1.0, 0.5))
    pixels, wanted = wholly.reshape(-1, 3), style.pixels.reshape(-1, 3)
    assert_allclose(pixels.mean(0), wanted.mean(0), atol=0.02)
    assert_allclose(np.cov(pixels.T), np.cov(wanted.T), atol=0.005)
    assert_allclose(half, (content + wholly) / 2, atol=1e-5)
    assert distance(recolored(content, [style], 0.0), content) == 0


def test_each_region_is_given_the_palette_of_its_own_style() -> None:
    """What no style claims keeps its colours; a style of no weight to speak of does not count."""
    content = photograph(40, 40)
    left, right = np.zeros((2, 40, 40), np.float32)
    left[:, :10], right[:, 30:] = 1, 1
    red, blue = plain(20, 20, 0.8, 0.1, 0.1), plain(20, 20, 0.1, 0.1, 0.8)
    result = recolored(content, [Style(red, region=left), Style(blue, region=right)], 1.0)
    assert_allclose(result[:, :10].mean((0, 1)), (0.8, 0.1, 0.1), atol=0.03)
    assert_allclose(result[:, 30:].mean((0, 1)), (0.1, 0.1, 0.8), atol=0.03)
    assert_allclose(result[:, 10:30], content[:, 10:30], atol=1e-6)
    mostly_red = recolored(content, [Style(red, 1.0), Style(blue, 1e-6)], 1.0)
    assert_allclose(mostly_red.mean((0, 1)), (0.8, 0.1, 0.1), atol=0.03)


def test_recolouring_grows_with_strength_and_is_fitted_only() -> None:
    """Wholly from half strength on; VGG follows its recipe to the letter."""

    def change(**options: Any) -> float:
        job = task(**options)
        return distance(before(job).content, job.content)

    assert 0 < change(strength=0.1) < change(strength=0.3) < change(strength=0.5)
    assert change(strength=0.5) == change(strength=0.9)
    assert change(network="vgg19") == 0
    assert change(colors="match") == 0
