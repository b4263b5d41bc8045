"""The embedded network with fixed filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from making import fixed as make_fixed
from making.fixed import make, turns
from numpy.testing import assert_allclose
from support.gatys import narrow, painting, photograph, run, task

from nstd.backend import Style
from nstd.backends.gatys import Gatys, fitted, fixed
from nstd.backends.gatys.fixed import load, packed, unpacked
from nstd.backends.gatys.layer_names import FIXED
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.stage import Filter
from nstd.backends.gatys.statistic import mixed, statistic

LAYERS = FIXED["a"] + FIXED["b"]


def request(pooling: str = "average", precision: str = "float32") -> NetworkRequest:
    """For no pictures at all."""
    return NetworkRequest("fixed", (), LAYERS, pooling, 0, "cpu", precision, Path())


def picture() -> torch.Tensor:
    """A photograph."""
    return torch.from_numpy(photograph(128, 160)).permute(2, 0, 1)[None]


def test_the_file_holds_every_layer() -> None:
    """With as many channels as `fitted` has; sphered, of about unit variance on a photograph."""
    network = load(request())
    features = dict(network.features(picture(), LAYERS))
    widths = [2 * width for width in fitted.WIDTHS[:4]]
    assert [features[layer].shape[1] for layer in LAYERS] == 2 * widths
    for layer in LAYERS:
        sphered = statistic(features[layer]).turned(network.turn(layer))
        assert 0.05 < sphered.covariance.diag().mean().sqrt() < 5, layer


def test_its_members_differ() -> None:
    """And a layer is the same whether others are asked for or not."""
    network = load(request())
    features = dict(network.features(picture(), LAYERS))
    for one, other in zip(FIXED["a"], FIXED["b"], strict=True):
        assert (features[one] - features[other]).abs().mean() > 0.1
        alone = dict(network.features(picture(), {other}))
        assert list(alone) == [other]
        assert torch.equal(alone[other], features[other])


def test_packing_loses_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a step of the 254 between the least and the greatest weight of a component."""
    narrow(monkeypatch)
    for weight, bias in fitted.fit([torch.rand(1, 3, 48, 64)], "average", 0):
        turn = torch.randn(5, 5)
        kept = {k: torch.from_numpy(v) for k, v in packed("x", (weight, bias), turn).items()}
        again, shift = unpacked(kept, "x")
        step = weight.abs().amax((1, 2, 3), keepdim=True) / fixed.STEPS
        assert ((weight - again).abs() <= 0.501 * step).all()
        assert_allclose(bias, shift, atol=1e-6)
        assert_allclose(turn, kept["x turn"].float(), rtol=1e-3, atol=1e-6)


def test_sphered_layers_are_uncorrelated_over_the_textures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And of variance 1, but for the share that spares the weak components."""
    narrow(monkeypatch)
    monkeypatch.setattr(make_fixed, "SHARE", 0.0)
    seen = [torch.rand(1, 3, 96, 128) for _ in range(4)]
    filters: list[Filter] = fitted.fit(seen, "average", 0, stages=4)
    layers = FIXED["a"]
    network = fixed.Fixed({"a": filters}, dict(zip(layers, turns(filters, seen), strict=True)))
    parts = [dict(network.features(each, layers)) for each in seen]
    for layer in layers:
        whole = mixed([(statistic(part[layer]), 1.0) for part in parts])
        covariance = whole.turned(network.turn(layer)).covariance
        assert_allclose(covariance, torch.eye(len(covariance)), atol=0.02)


def test_its_file_is_made_by_its_own_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Twice the same, to the byte, and of the form of the one in the package."""
    pytest.importorskip("skimage")
    narrow(monkeypatch)
    monkeypatch.setattr(make_fixed, "SIDE", 64)
    monkeypatch.setattr(make_fixed, "TEXTURES", 6)
    for name in ("one.npz", "two.npz"):
        make(tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with (
        np.load(tmp_path / "one.npz") as made,
        np.load(Path(fixed.__file__).parent / fixed.FILE) as ours,
    ):
        assert set(made) == set(ours)
        assert {key: made[key].dtype for key in made} == {key: ours[key].dtype for key in ours}


def test_all_jobs_share_it() -> None:
    """Loaded once for two pairs; the record names the same filters; the seed does not count."""
    backend = Gatys()
    one, seen = run(task(network="fixed", steps=36), backend)
    other, _ = run(
        task(photograph()[::-1].copy(), Style(painting(seed=1)), network="fixed", steps=6), backend
    )
    assert one.network == other.network
    assert one.network is not None
    assert one.network["name"] == "fixed"
    assert seen[-1].losses["total"] < 0.9 * seen[0].losses["total"]
    again, _ = run(task(network="fixed", steps=36, seed=5))
    assert_allclose(one.pixels, again.pixels, atol=1e-4)
