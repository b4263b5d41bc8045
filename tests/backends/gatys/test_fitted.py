"""The network fitted to the pictures of a job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from nstd.backends.gatys import fitted
from nstd.backends.gatys.fitted import (
    Fitted,
    fit,
    independent_turn,
    load,
    patches_of,
    whitening,
)
from nstd.backends.gatys.layer_names import STAGES
from nstd.backends.gatys.network_protocol import NetworkRequest


def pictures(seed: int = 0) -> list[Tensor]:
    """A smooth picture and a striped one, 64 px."""
    generator = Generator().manual_seed(seed)
    rough = torch.rand(1, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, (64, 64), mode="bilinear")
    stripes = (torch.arange(64) % 8 < 4).float().expand(1, 3, 64, 64)
    return [smooth, 0.2 + 0.5 * stripes]


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer components, so that a fit takes milliseconds."""
    monkeypatch.setattr(fitted, "WIDTHS", (8, 10, 10, 12, 12))


def request(saved: dict[str, object] | None = None, seed: int = 0) -> NetworkRequest:
    """What the engine asks of the loader."""
    return NetworkRequest(
        "fitted", pictures(), STAGES, "max", seed, "cpu", "float32", Path("none"), saved
    )


def test_stages_have_both_signs_of_their_widths_and_halve_the_picture() -> None:
    """Sides round up, so that odd edges are kept."""
    network = Fitted(fit(pictures(), "max", 0), "max")
    shapes = [tuple(f.shape) for _, f in network.features(torch.rand(1, 3, 33, 50), STAGES)]
    sides = [(33, 50), (17, 25), (9, 13), (5, 7), (3, 4)]
    assert shapes == [(1, 2 * w, *side) for w, side in zip(fitted.WIDTHS, sides, strict=True)]


def test_only_the_stages_asked_for_are_computed() -> None:
    """The result holds those layers and no others."""
    network = Fitted(fit(pictures(), "max", 0), "max")
    assert [*dict(network.features(torch.rand(1, 3, 32, 32), {"stage2"}))] == ["stage2"]


def test_patches_repeat_the_edges() -> None:
    """The first patch of a 1x2 picture, worked out by hand."""
    x = torch.tensor([[[[1.0, 2.0]]]])
    assert patches_of(x)[:, 0].tolist() == [1, 1, 2, 1, 1, 2, 1, 1, 2]


def test_whitening_gives_uncorrelated_components_of_nearly_unit_variance() -> None:
    """Strong components come out with variance one, weak ones with less."""
    scales = torch.tensor([3.0, 1.0, 0.5, 1e-4])[:, None]
    data = torch.randn(4, 5000, generator=Generator().manual_seed(1)) * scales
    data -= data.mean(1, keepdim=True)
    white = whitening(data, 4) @ data
    covariance = white @ white.T / white.shape[1]
    variances = covariance.diag()
    torch.testing.assert_close(covariance, torch.diag(variances), atol=1e-4, rtol=0)
    assert variances[0] > 0.95
    assert variances[3] < 0.01


def test_ica_separates_independent_sources() -> None:
    """Two uniform sources that were rotated into each other come apart again."""
    generator = Generator().manual_seed(2)
    sources = (torch.rand(2, 20_000, generator=generator) - 0.5) * 12**0.5
    angle = torch.tensor(0.6)
    rotation = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    unmixing = independent_turn(rotation @ sources, generator) @ rotation
    # Up to order and sign the product is the identity.
    torch.testing.assert_close(
        unmixing.abs().sort(1).values, torch.tensor([[0.0, 1.0]] * 2), atol=0.05, rtol=0
    )


def test_a_seed_gives_the_same_network_and_another_seed_another() -> None:
    """The hash in the record tells networks apart; the global generator is left alone."""
    before = torch.get_rng_state()
    one, same, other = load(request()), load(request()), load(request(seed=1))
    assert one.sha256 == same.sha256 != other.sha256
    assert torch.equal(torch.get_rng_state(), before)


def test_a_saved_network_is_taken_instead_of_fitting_again() -> None:
    """What a checkpoint holds makes the same network."""
    one = load(request())
    assert load(request(saved=one.state(), seed=5)).sha256 == one.sha256


@pytest.mark.parametrize("value", [0.0, 0.45, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (20, 20)])
def test_constant_pictures_give_finite_filters(value: float, size: Sequence[int]) -> None:
    """No variance at all, in pictures of any size, is no singular matrix."""
    constant = torch.full((1, 3, *size), value)
    network = Fitted(fit([constant, constant], "max", 0), "max")
    for _, features in network.features(torch.rand(1, 3, *size), STAGES):
        assert features.isfinite().all()
