"""What ships with the package and is made by a script is what this script makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from making.fixed import SEEDS, pictures, tensor, turns
from making.manifest import MADE, noted_all
from making.textures import textures
from support.gatys import narrow

from nstd.backends.gatys.fitted import Fitted, fit
from nstd.backends.gatys.networks import STAGES
from nstd.backends.gatys.statistic import Statistic, mixed, statistic

CHECKOUT = Path(__file__).resolve().parent.parent
FIGURE = 0.14


@pytest.mark.parametrize("name", MADE)
def test_the_manifest_holds_what_ships_and_how_it_was_made(name: str) -> None:
    """A file or a script that is changed alone shows here: `python -m tests.making NAME`."""
    assert noted_all()[name] == MADE[name].entry()
    assert (CHECKOUT / MADE[name].script).is_file()


def test_a_name_that_is_none_is_answered_with_those_that_are() -> None:
    """And nothing is made."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.making", "nothing"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert all(name in done.stdout for name in MADE)


def test_a_short_fit_spheres_textures_that_it_has_not_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The script of `fixed` on small pictures: its figure is the mean correlation of channels.

    Without the sphering it is 0.22 here, with it 0.11.
    """
    pytest.importorskip("skimage")
    narrow(monkeypatch)
    sources = pictures()
    filters = fit([tensor(each) for each in sources], "average", SEEDS["a"], 64, 4)
    seen, unseen = ([tensor(each) for each in textures(sources, 12, seed)] for seed in (0, 1))
    found: dict[str, list[tuple[Statistic, float]]] = {stage: [] for stage in STAGES[:4]}
    with torch.no_grad():
        for picture in unseen:
            for stage, features in Fitted(filters, "average").features(picture, STAGES[:4]):
                found[stage].append((statistic(features.double()), 1.0))
    turned = [
        correlation(mixed(found[stage]).turned(turn.double()).covariance)
        for stage, turn in zip(STAGES, turns(filters, seen), strict=False)
    ]
    assert len(turned) == 4
    assert sum(turned) / 4 < FIGURE


def correlation(covariance: torch.Tensor) -> float:
    """The mean of |correlation| over the pairs of channels."""
    scale = covariance.diag().clamp(min=1e-9).rsqrt()
    found = (covariance * scale[:, None] * scale).abs()
    count = len(found)
    return float((found.sum() - count) / (count * (count - 1)))
