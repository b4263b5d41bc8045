"""The embedded network with fixed filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gatys_support import narrow, painting, photograph, run, task
from numpy.testing import assert_allclose

from nstd.backend import Style
from nstd.backends.gatys import Gatys, fitted, fixed, make_fixed
from nstd.backends.gatys.fixed import load, packed, packed_spheres, unpacked, unpacked_spheres
from nstd.backends.gatys.make_fixed import STAGES, make, spheres
from nstd.backends.gatys.networks import Request


def request(pooling: str = "average") -> Request:
    """For no pictures at all."""
    return Request("fixed", (), STAGES, pooling, 0, "cpu", Path())


def test_the_file_holds_every_stage() -> None:
    """With as many channels as `fitted` has, of about unit variance on a photograph."""
    picture = torch.from_numpy(photograph(128, 160)).permute(2, 0, 1)[None]
    features = load(request()).features(picture, STAGES)
    assert [features[stage].shape[1] for stage in STAGES] == [2 * w for w in fitted.WIDTHS[:4]]
    for stage in STAGES:
        assert 0.05 < features[stage].std() < 5, stage


def test_packing_loses_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a step of the 254 between the least and the greatest weight of a component."""
    narrow(monkeypatch)
    filters = fitted.fit([torch.rand(1, 3, 48, 64)], "average", 0)
    for (weight, bias), (again, shift) in zip(filters, unpacked(packed(filters)), strict=True):
        step = weight.abs().amax((1, 2, 3), keepdim=True) / fixed.STEPS
        assert ((weight - again).abs() <= 0.501 * step).all()
        assert_allclose(bias, shift, atol=1e-6)


def test_sphered_stages_are_uncorrelated_over_the_textures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of mean 0, and of variance 1 but for the share that spares the weak components."""
    narrow(monkeypatch)
    monkeypatch.setattr(make_fixed, "SHARE", 0.0)
    seen = [torch.rand(1, 3, 96, 128) for _ in range(4)]
    filters = fitted.fit(seen, "average", 0, stages=4)
    network = fixed.Fixed(filters, "average", spheres(filters, seen))
    parts = [network.features(picture, STAGES) for picture in seen]
    for stage in STAGES:
        flat = torch.cat([part[stage].flatten(2)[0] for part in parts], 1)
        assert flat.mean(1).abs().max() < 1e-3
        covariance = flat @ flat.T / flat.shape[1]
        assert_allclose(covariance, torch.eye(len(covariance)), atol=0.02)


def test_spheres_are_packed_with_little_loss() -> None:
    """Half precision: three digits."""
    kept = [(torch.randn(5, 5, 1, 1), torch.randn(5)), (torch.randn(7, 7, 1, 1), torch.randn(7))]
    for one, other in zip(kept, unpacked_spheres(packed_spheres(kept)), strict=True):
        assert_allclose(one[0], other[0], rtol=1e-3, atol=1e-6)
        assert_allclose(one[1], other[1], rtol=1e-3, atol=1e-6)


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
