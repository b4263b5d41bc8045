"""Means and second moments of features, whole, in a region, and mixed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nstd.backends.gatys.statistic import Statistic, compared, mixed, shares, statistic, weighted

# Two channels over two positions: (1, 2) and (3, 5).
FEATURES = torch.tensor([[[[1.0, 2.0]], [[3.0, 5.0]]]])


def assert_close(one: Statistic, other: Statistic) -> None:
    """Both moments are equal but for rounding."""
    torch.testing.assert_close(one.mean, other.mean)
    torch.testing.assert_close(one.second, other.second)


def masked(features: Tensor, weight: Tensor) -> Statistic:
    """The moments where a mask of any size is white."""
    return weighted(features, shares(weight, features.shape[2:]))


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Normal noise in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_moments_of_two_positions() -> None:
    """Rows (1, 2) and (3, 5), by hand."""
    found = statistic(FEATURES)
    torch.testing.assert_close(found.mean, torch.tensor([1.5, 4.0]))
    torch.testing.assert_close(found.second, torch.tensor([[2.5, 6.5], [6.5, 17.0]]))
    torch.testing.assert_close(found.covariance, torch.tensor([[0.25, 0.5], [0.5, 1.0]]))


def test_they_do_not_depend_on_resolution() -> None:
    """Every position twice gives the same moments."""
    assert_close(statistic(FEATURES.repeat(1, 1, 1, 2)), statistic(FEATURES))


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_a_constant_weight_changes_nothing(channels: int, h: int, w: int, seed: int) -> None:
    """Whatever its value and its own size."""
    features = noise(1, channels, h, w, seed=seed)
    weight = torch.full((1, 1, 3 * h, 2 * w), 0.3, dtype=torch.float64)
    assert_close(masked(features, weight), statistic(features))


def test_a_region_counts_alone() -> None:
    """Half of the positions masked out are as good as not there."""
    features = noise(1, 3, 4, 8)
    weight = torch.zeros(1, 1, 4, 8, dtype=torch.float64)
    weight[..., 3:] = 1
    assert_close(masked(features, weight), statistic(features[..., 3:]))


def test_a_weight_is_averaged_down_to_the_layer() -> None:
    """A mask of twice the size: a half-covered position counts half."""
    weight = torch.tensor([[[[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]]]])
    expected = (2 * FEATURES[..., 0] + FEATURES[..., 1]) / 3
    torch.testing.assert_close(masked(FEATURES, weight).mean, expected[0, :, 0])


def test_an_empty_region_gives_zeros_and_no_gradient() -> None:
    """Nothing is divided by zero."""
    features = noise(1, 3, 4, 4).requires_grad_()
    found = masked(features, torch.zeros(1, 1, 8, 8, dtype=torch.float64))
    assert not found.mean.any()
    assert not found.second.any()
    (gradient,) = torch.autograd.grad(found.second.sum() + found.mean.sum(), features)
    assert not gradient.any()


def test_gradients_through_a_weight_agree_with_finite_differences() -> None:
    """In float64."""
    weight = noise(1, 1, 6, 6).abs()
    features = noise(1, 2, 3, 3, seed=1).requires_grad_()

    def moments(x: Tensor) -> tuple[Tensor, Tensor]:
        found = masked(x, weight)
        return found.mean, found.covariance

    assert torch.autograd.gradcheck(moments, (features,))


def test_a_mix_has_the_moments_of_all_positions_together() -> None:
    """Weighted by their numbers, two pictures are as good as one that holds both."""
    one, two = noise(1, 3, 5, 2), 2 + noise(1, 3, 5, 6, seed=1)
    together = mixed([(statistic(one), 1.0), (statistic(two), 3.0)])
    assert_close(together, statistic(torch.cat([one, two], 3)))


@pytest.mark.parametrize("weight", [0.1, 1.0, 7.0])
def test_a_mix_of_one_is_itself(weight: float) -> None:
    """To the bit, whatever its weight."""
    alone = statistic(FEATURES)
    found = mixed([(alone, weight)])
    assert torch.equal(found.mean, alone.mean)
    assert torch.equal(found.second, alone.second)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_a_map_of_the_features_is_a_map_of_their_moments(c: int, h: int, w: int, seed: int) -> None:
    """To any number of channels."""
    features, turn = noise(1, c, h, w, seed=seed), noise(4, c, seed=seed + 1)
    turned = torch.einsum("ab,zbhw->zahw", turn, features)
    assert_close(statistic(features).turned(turn), statistic(turned))


def test_no_map_leaves_the_moments_alone() -> None:
    """The very same."""
    found = statistic(FEATURES)
    assert found.turned(None) is found


def test_the_overlap_is_the_mean_inner_product() -> None:
    """1 x 2 + 3 x 0 at one position, 2 x 1 + 5 x 1 at the other; with nothing it is 0."""
    reference = torch.tensor([[[[2.0, 1.0]], [[0.0, 1.0]]]])
    assert compared(FEATURES, reference)[1].item() == pytest.approx(4.5)
    assert compared(FEATURES, None)[1].item() == 0
    assert_close(compared(FEATURES, reference)[0], statistic(FEATURES))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("has_reference", [False, True])
def test_its_gradients_agree_with_finite_differences(last: bool, has_reference: bool) -> None:
    """In float64, with channels last in memory or first, of all that it gives at once."""
    order = torch.channels_last if last else torch.contiguous_format
    features = noise(1, 3, 2, 4).contiguous(memory_format=order).requires_grad_()
    reference = noise(1, 3, 2, 4, seed=1) if has_reference else None

    def moments(x: Tensor) -> tuple[Tensor, ...]:
        found, overlap = compared(x, reference)
        return found.mean, found.second, overlap

    assert torch.autograd.gradcheck(moments, (features,))
