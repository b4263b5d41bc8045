"""The embedded network with fixed filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gatys_support import narrow, painting, photograph, run, task
from numpy.testing import assert_allclose

from nstd.backend import Style
from nstd.backends.gatys import Gatys, fitted, fixed
from nstd.backends.gatys.fixed import load, make, packed, unpacked
from nstd.backends.gatys.networks import STAGES, Request


def request(pooling: str = "average") -> Request:
    """For no pictures at all."""
    return Request("fixed", (), STAGES, pooling, 0, "cpu", Path())


def test_the_file_holds_every_stage() -> None:
    """With as many channels as `fitted` has, whitened about as much on a photograph."""
    picture = torch.from_numpy(photograph(128, 160)).permute(2, 0, 1)[None]
    features = load(request()).features(picture, STAGES)
    assert [features[stage].shape[1] for stage in STAGES] == [2 * w for w in fitted.WIDTHS]
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


def test_its_file_is_made_by_its_own_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Twice the same, to the byte, and of the form of the one in the package."""
    pytest.importorskip("skimage")
    narrow(monkeypatch)
    monkeypatch.setattr(fixed, "SIDE", 64)
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
    one, seen = run(task(network="fixed", steps=12), backend)
    other, _ = run(
        task(photograph()[::-1].copy(), Style(painting(seed=1)), network="fixed", steps=6), backend
    )
    assert one.network == other.network
    assert one.network is not None
    assert one.network["name"] == "fixed"
    assert seen[-1].losses["total"] < 0.8 * seen[0].losses["total"]
    again, _ = run(task(network="fixed", steps=12, seed=5))
    assert_allclose(one.pixels, again.pixels, atol=1e-4)
