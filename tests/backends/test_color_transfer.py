"""Colour transfer against hand-computed answers, and on real photographs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from skimage import data

from nstd.backend import Backend, Interrupted, Progress, Result, Style, Task
from nstd.backends import color_transfer
from nstd.backends.color_transfer import ColorTransfer, from_lab, statistics, to_lab

Pixels = NDArray[np.float32]


def photo(name: str) -> Pixels:
    pixels: Pixels = getattr(data, name)().astype(np.float32) / 255
    return pixels


def task(content: Pixels, *styles: Pixels | Style, **options: Any) -> Task:
    each = tuple(style if isinstance(style, Style) else Style(style) for style in styles)
    return Task(content, each, ColorTransfer.Options(**options), device="cpu", weights=Path())


def run(content: Pixels, *styles: Pixels | Style, **options: Any) -> Result:
    return ColorTransfer().run(task(content, *styles, **options), lambda progress: None)


def flat(*color: float) -> Pixels:
    return np.tile(np.array(color, np.float32), (8, 8, 1))


def noise(low: float, high: float, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).uniform(low, high, (64, 64, 3)).astype(np.float32)


def test_white_by_hand() -> None:
    """White has the cones 0.9996, 0.9993, 0.9973, the sums of the matrix's rows.

    With 1/255 added their log10 are 0.001527, 0.001397, 0.000530, so l = 0.003454 / sqrt 3.
    """
    assert to_lab(flat(1, 1, 1))[0, 0] == pytest.approx([0.001994, 0.000761, 0.000092], abs=1e-5)


def test_black_by_hand() -> None:
    """Black is 1/255 in each cone: l is sqrt(3) log10(1/255) = -4.16823."""
    assert to_lab(flat(0, 0, 0))[0, 0] == pytest.approx([-4.16823, 0, 0], abs=1e-4)


def test_red_by_hand() -> None:
    """Red has the cones 0.3811, 0.1967, 0.0241, here with 1/255 added and as logarithms.

    log10: -0.414515, -0.697622, -1.552508. Then l = their sum / sqrt 3,
    alpha = (L + M - 2 S) / sqrt 6, beta = (L - M) / sqrt 2.
    """
    expected = [-1.538433, 0.813589, 0.200187]
    assert to_lab(flat(1, 0, 0))[0, 0] == pytest.approx(expected, abs=1e-5)


def test_lab_and_back() -> None:
    """The way back from l-alpha-beta is exact for every colour, black and white among them."""
    corners = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3), axis=-1).reshape(27, 27, 3)
    assert from_lab(to_lab(corners.astype(np.float32))) == pytest.approx(corners, abs=1e-5)


def test_statistics_by_hand() -> None:
    """Half black, half white: the mean lies between and the deviation is half the distance."""
    pixels = np.concatenate([flat(0, 0, 0), flat(1, 1, 1)])
    found = statistics(pixels)
    black, white = to_lab(flat(0, 0, 0))[0, 0], to_lab(flat(1, 1, 1))[0, 0]
    assert found.mean == pytest.approx((black + white) / 2)
    assert found.std == pytest.approx(np.abs(white - black) / 2)


def test_its_own_style_changes_nothing() -> None:
    """A photograph in its own colours is itself."""
    content = photo("coffee")
    assert run(content, content).pixels == pytest.approx(content, abs=1e-5)


def test_result_has_the_statistics_of_the_style() -> None:
    """Where nothing is clipped, mean and deviation in l-alpha-beta are those of the style."""
    style = noise(0.4, 0.6, seed=1) * np.array([1.1, 1.0, 0.8], np.float32)
    found, wanted = statistics(run(noise(0.3, 0.5), style).pixels), statistics(style)
    assert found.mean == pytest.approx(wanted.mean, abs=1e-4)
    assert found.std == pytest.approx(wanted.std, abs=1e-4)


@pytest.mark.parametrize("color", [(0, 0, 0), (1, 1, 1), (0.2, 0.5, 0.7)])
def test_flat_content_takes_the_mean(color: tuple[float, float, float]) -> None:
    """A content of one colour, black too, becomes the style's mean, without NaN."""
    style = flat(0.6, 0.3, 0.2)
    assert run(flat(*color), style).pixels == pytest.approx(style, abs=1e-4)


def test_flat_style_flattens() -> None:
    """A style of one colour leaves that colour alone."""
    assert run(photo("coffee"), flat(0.5, 0.4, 0.3)).pixels == pytest.approx(
        np.broadcast_to(np.array([0.5, 0.4, 0.3], np.float32), (400, 600, 3)), abs=1e-4
    )


def test_an_outlier_does_not_overflow() -> None:
    """One white pixel in a large black picture stays within [0, 1]."""
    content = np.zeros((512, 512, 3), np.float32)
    content[5, 5] = 1
    pixels = run(content, photo("coffee")).pixels
    assert np.isfinite(pixels).all()
    assert 0 <= pixels.min() <= pixels.max() <= 1


def test_photographs() -> None:
    """An astronaut in the colours of a cup of coffee turns as warm as the coffee."""
    content, style = photo("astronaut"), photo("coffee")
    result = run(content, style).pixels
    assert result.shape == content.shape
    assert result.dtype == np.float32

    def distance(pixels: Pixels) -> float:
        return float(np.abs(statistics(pixels).mean - statistics(style).mean).max())

    assert distance(result) < distance(content) / 3


def test_strength() -> None:
    """At 0 the content stays as it is; half way lies half way in l-alpha-beta."""
    content, style = noise(0.3, 0.5), noise(0.4, 0.6, seed=1)
    assert run(content, style, strength=0).pixels == pytest.approx(content, abs=1e-5)
    full = to_lab(run(content, style).pixels)
    half = to_lab(run(content, style, strength=0.5).pixels)
    assert half == pytest.approx((to_lab(content) + full) / 2, abs=1e-4)


def test_preserve_luminance() -> None:
    """Light and dark stay the content's, while the hues become the style's."""
    content, style = noise(0.3, 0.5), noise(0.3, 0.5, seed=1) * np.float32(0.9)
    style[..., 0] *= 1.2
    result = run(content, style, preserve_luminance=True).pixels
    assert to_lab(result)[..., 0] == pytest.approx(to_lab(content)[..., 0], abs=1e-4)
    assert statistics(result).mean[1:] == pytest.approx(statistics(style).mean[1:], abs=1e-4)


def test_several_styles_mix_by_weight() -> None:
    """Three parts of one flat style and one of another give the weighted mean of the two."""
    red, blue = flat(0.6, 0.3, 0.3), flat(0.3, 0.3, 0.6)
    result = run(flat(0.5, 0.5, 0.5), Style(red, weight=3), Style(blue, weight=1)).pixels
    expected = (3 * to_lab(red) + to_lab(blue)) / 4
    assert to_lab(result) == pytest.approx(expected, abs=1e-4)


@pytest.fixture
def small_bands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(color_transfer, "_BAND_PIXELS", 600 * 90)
    yield


def test_bands_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture worked in many bands is the picture worked at once."""
    content, style = photo("coffee"), photo("astronaut")
    whole = run(content, style).pixels
    monkeypatch.setattr(color_transfer, "_BAND_PIXELS", 5000)
    assert run(content, style).pixels == pytest.approx(whole, abs=1e-6)


@pytest.mark.usefixtures("small_bands")
def test_progress_is_reported_for_each_band() -> None:
    """Progress rises to 1 in equal steps."""
    seen: list[Progress] = []
    ColorTransfer().run(task(photo("coffee"), photo("coffee")), seen.append)
    assert [progress.fraction for progress in seen] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


@pytest.mark.usefixtures("small_bands")
def test_cancellation_stops_the_work() -> None:
    """When `report` raises, nothing more is done."""
    calls = 0

    def cancel(progress: Progress) -> None:
        nonlocal calls
        calls += 1
        raise Interrupted

    with pytest.raises(Interrupted):
        ColorTransfer().run(task(photo("coffee"), photo("coffee")), cancel)
    assert calls == 1


def test_record() -> None:
    """The result says how long each phase took."""
    assert set(run(flat(0, 0, 0), flat(1, 1, 1)).seconds) == {"statistics", "transfer"}


@pytest.mark.parametrize("options", [{"strength": 1.1}, {"strenght": 1}, {"strength": -0.1}])
def test_wrong_options_are_refused(options: dict[str, float]) -> None:
    """Unknown names and values out of range are refused."""
    with pytest.raises(ValidationError):
        ColorTransfer.Options.model_validate(options)


def test_it_is_a_light_backend() -> None:
    """The class fits the contract, and importing it loads neither numpy nor Pillow nor torch."""
    backend: Backend = ColorTransfer()
    assert backend.name == "color-transfer"
    code = (
        "import sys, nstd.backends.color_transfer; print({'numpy','PIL','torch'} & {*sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_all_frames_of_a_film_are_changed_in_the_same_way() -> None:
    """One colour becomes one colour, whatever else is in the frame; the whole gets the style's."""
    dark, light, style = noise(0, 0.4), noise(0.3, 0.9, seed=1), noise(0.2, 0.8, seed=2)
    dark[:8, :8] = light[:8, :8] = 0.35
    whole = np.concatenate([dark, light])
    job = replace(task(dark, style), series=(dark, light), film=True)
    made = [
        ColorTransfer().run(replace(job, content=x), lambda _: None).pixels for x in (dark, light)
    ]
    assert np.array_equal(made[0][:8, :8], made[1][:8, :8])
    assert np.concatenate(made) == pytest.approx(run(whole, style).pixels, abs=1e-5)
    assert np.abs(made[0] - run(dark, style).pixels).mean() > 0.05
