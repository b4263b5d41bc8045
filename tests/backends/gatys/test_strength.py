"""One knob from the content itself to style alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from support.gatys import VGG, install_vgg, narrow, painting, photograph, run, task

from nstd.backend import Style
from nstd.backends.gatys import Gatys, Options

STRENGTHS = (0.2, 0.5, 0.8, 1.0)
SIZES = ((36, 48), (48, 64), (72, 96))
GRAM = VGG | {"style_loss": "gram", "optimizer": "lbfgs"}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)


def ends(
    backend: Gatys, size: tuple[int, int], strength: float, **options: Any
) -> tuple[float, float]:
    """The content's distance at the end, and the share of the style's distance removed."""
    job = task(photograph(*size), Style(painting(*size)), strength=strength, steps=30, **options)
    _, seen = run(job, backend)
    return seen[-1].losses["content"], 1 - seen[-1].losses["style"] / seen[0].losses["style"]


@pytest.mark.parametrize("network", [{}, GRAM], ids=["fitted", "vgg19"])
def test_it_means_the_same_on_every_size(tmp_path: Path, network: dict[str, Any]) -> None:
    """More of it takes both further from the content and nearer to the style.

    The share of the style's distance that it removes differs by at most 0.15 between sizes.
    """
    install_vgg(tmp_path)
    removed, backend = [], Gatys()
    for size in SIZES:
        made = [
            ends(backend, size, strength, weights=tmp_path, **network) for strength in STRENGTHS
        ]
        assert all(weak[0] < strong[0] for weak, strong in pairwise(made))
        removed.append([share for _, share in made])
        assert removed[-1][0] < removed[-1][-1]
    assert np.ptp(removed, axis=0)[:2].max() < 0.15


def test_none_of_it_gives_the_content_itself() -> None:
    """To the bit, whatever else is asked for, and without a network."""
    content = photograph()
    result, seen = run(task(content, strength=0, init="noise", colors="luminance"))
    np.testing.assert_array_equal(result.pixels, content)
    assert result.network is None
    assert [progress.fraction for progress in seen] == [1.0]


def test_all_of_it_leaves_the_content_out() -> None:
    """The loss is the style's and total variation's, and what keeps values inside [0, 1]."""
    _, seen = run(task(strength=1, tv_weight=0))
    assert seen[0].losses["total"] == pytest.approx(seen[0].losses["style"])
    assert seen[-1].losses["content"] > 0.5  # would be seen in the total
    assert seen[-1].losses["total"] == pytest.approx(seen[-1].losses["style"], rel=0.1)


def test_it_multiplies_the_weight_of_the_content() -> None:
    """The network's default or the one given; in the middle neither changes."""
    assert Options().recipe.content_weight == Options(strength=0.5).recipe.content_weight
    assert Options(content_weight=0.4, strength=0.8).recipe.content_weight == pytest.approx(0.1)
    assert Options(content_weight=0.4, strength=0.2).recipe.content_weight == pytest.approx(1.6)


@pytest.mark.parametrize("options", [{"strength": 1.1}, {"strength": 1, "style_weight": 0}])
def test_what_leaves_nothing_to_do_is_refused(options: dict[str, Any]) -> None:
    """More than all of it, and all of no style."""
    with pytest.raises(ValidationError):
        Options(**options)
