"""Pictures at the edges: a sensible picture comes out, never NaN, and no warning."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.gatys import VGG, install_vgg, narrow, painting, photograph, plain, run, task
from support.tables import table

from nstd.backend import Style
from nstd.backends.gatys import Gatys

if TYPE_CHECKING:
    from nstd.backend import Pixels

CONTENTS = {
    "line": photograph(1, 90),
    "column": photograph(90, 1),
    "dot": photograph(1, 1),
    "tiny": photograph(5, 7),
    "small": photograph(31, 31),
    "panorama": photograph(16, 320),
    "tower": photograph(320, 16),
    "black": plain(32, 40, 0),
    "white": plain(32, 40, 1),
    "grey": plain(32, 40, 0.5),
    "red": plain(32, 40, 1, 0, 0),
}
STYLES = {
    "painting": painting(48, 32),
    "black": plain(32, 32, 0),
    "orange": plain(32, 32, 1, 0.5, 0),
    "line": painting(1, 50),
    "dot": plain(1, 1, 0.2, 0.6, 0.4),
}
NETWORKS: dict[str, dict[str, Any]] = {
    "fixed": {"network": "fixed"},
    "student": {"network": "student"},
    "fitted": {},
    "fitted-w2": {"style_loss": "w2"},
    "fitted-adam": {"optimizer": "adam", "style_loss": "gram"},
    "vgg19": VGG,
}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)


Warm = Callable[[str, str, str], tuple[Gatys, dict[str, Any]]]


@pytest.fixture
def warm(tmp_path: Path) -> Warm:
    """For a content, a style and a network: a backend that may have loaded it, and options.

    One that is fitted to the pictures serves for other losses of the same pair alone.
    """
    install_vgg(tmp_path)
    backend = cache(lambda *key: Gatys())

    def prepared(content: str, style: str, network: str) -> tuple[Gatys, dict[str, Any]]:
        pair = (content, style) if network.startswith("fitted") else (network,)
        return backend(*pair), {"weights": tmp_path, **NETWORKS[network]}

    return prepared


def checked(content: Pixels, style: Pixels, backend: Gatys | None = None, **options: Any) -> Pixels:
    """A picture of the content's size with values in [0, 1], from a run whose losses are finite."""
    result, seen = run(task(content, Style(style), **({"steps": 5} | options)), backend)
    assert result.pixels.shape == content.shape
    assert np.isfinite(result.pixels).all()
    assert result.pixels.min() >= 0
    assert result.pixels.max() <= 1
    assert all(np.isfinite(list(progress.losses.values())).all() for progress in seen)
    return result.pixels


@pytest.mark.long
@table("network", NETWORKS)
@table("style", STYLES)
@table("content", CONTENTS)
def test_every_pair_gives_a_picture(warm: Warm, content: str, style: str, network: str) -> None:
    """Every content with every style, on every kind of network and loss."""
    backend, options = warm(content, style, network)
    checked(CONTENTS[content], STYLES[style], backend, steps=3, **options)


@table("network", NETWORKS)
@table("content", CONTENTS)
def test_a_content_in_its_own_style_hardly_changes(warm: Warm, content: str, network: str) -> None:
    """There is nothing to do but to smooth; that is not made into noise."""
    own = CONTENTS[content]
    backend, options = warm(content, content, network)
    made = checked(own, own, backend, tv_weight=0, **options)
    assert np.abs(made - own).mean() < 0.02


@table("content", ["black", "grey", "white"])
@table("style", ["black", "orange"])
def test_one_colour_goes_to_the_other(content: str, style: str) -> None:
    """A plain content moves towards a plain style and stays plain."""
    before, target = CONTENTS[content], STYLES[style].mean((0, 1))
    made = checked(before, STYLES[style], strength=0.9)
    assert np.abs(made.mean((0, 1)) - target).sum() <= np.abs(before[0, 0] - target).sum() + 1e-6
    assert made.std((0, 1)).max() < 0.1


@table("colors", ["luminance", "match", "histogram"])
@table("style", STYLES)
@table("content", ["dot", "line", "black", "red", "small"])
def test_colours_are_kept_of_every_pair(content: str, style: str, colors: str) -> None:
    """No covariance is singular, and no histogram is too short."""
    checked(CONTENTS[content], STYLES[style], colors=colors)


@table("scale", [0.01, 4.0])
@table("style", STYLES)
def test_every_style_can_be_scaled(style: str, scale: float) -> None:
    """Down to a dot, and up."""
    result, _ = run(task(CONTENTS["small"], Style(STYLES[style], scale=scale), steps=4))
    assert np.isfinite(result.pixels).all()


@table("content", ["dot", "line", "black"])
def test_noise_is_a_start_for_every_picture(content: str) -> None:
    """Also where the content tells nothing."""
    checked(CONTENTS[content], STYLES["painting"], init="noise")
