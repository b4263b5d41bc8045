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
from nstd.backends.gatys.fixed import Fixed, load
from nstd.backends.gatys.layer_names import FIXED, STAGES
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.statistic import Statistic, mixed, statistic

CHECKOUT = Path(__file__).resolve().parent.parent
FIGURE = 0.14
SHIPPED = 0.05
LAYERS = FIXED["a"] + FIXED["b"]


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
    maps = dict(zip(STAGES, turns(filters, seen), strict=False))
    assert len(maps) == 4
    assert figure(Fitted(filters, "average"), maps, unseen) < FIGURE


def test_the_file_that_ships_spheres_textures_that_it_has_not_seen() -> None:
    """The same figure of `fixed.npz`: without the sphering it is 0.11 here, with it 0.04."""
    pytest.importorskip("skimage")
    request = NetworkRequest("fixed", (), LAYERS, "average", 0, "cpu", "float32", Path())
    network = load(request)
    maps = {layer: network.turn(layer) for layer in LAYERS}
    unseen = [tensor(each) for each in textures(pictures(), 12, 1)]
    assert figure(network, maps, unseen) < SHIPPED


@torch.no_grad()
def figure(
    network: Fitted | Fixed, maps: dict[str, torch.Tensor], unseen: list[torch.Tensor]
) -> float:
    """The mean correlation of the channels of a layer after `maps`, over all layers."""
    found: dict[str, list[tuple[Statistic, float]]] = {layer: [] for layer in maps}
    for picture in unseen:
        for layer, features in network.features(picture, tuple(maps)):
            found[layer].append((statistic(features.double()), 1.0))
    turned = [mixed(found[layer]).turned(map_.double()) for layer, map_ in maps.items()]
    return sum(correlation(each.covariance) for each in turned) / len(maps)


def correlation(covariance: torch.Tensor) -> float:
    """The mean of |correlation| over the pairs of channels."""
    scale = covariance.diag().clamp(min=1e-9).rsqrt()
    found = (covariance * scale[:, None] * scale).abs()
    count = len(found)
    return float((found.sum() - count) / (count * (count - 1)))
