"""The losses, against answers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nstd.backends.gatys.losses import (
    content_loss,
    gram_matrix,
    moments,
    spread,
    style_distance,
    total_variation,
)

# Two channels over two positions: (1, 2) and (3, 5).
FEATURES = torch.tensor([[[[1.0, 2.0]], [[3.0, 5.0]]]])


def checkerboard(side: int) -> Tensor:
    """Zeros and ones that alternate both ways, (1, 1, side, side)."""
    grid = torch.arange(side)
    return ((grid[:, None] + grid) % 2).float()[None, None]


def test_content_loss_is_a_mean_of_squares() -> None:
    """Differences of 1, 0, 2 and 0 give (1 + 4) / 4."""
    target = torch.tensor([[[[0.0, 2.0]], [[1.0, 5.0]]]])
    assert content_loss(FEATURES, target).item() == pytest.approx(1.25)


def test_spread_is_the_mean_variance_of_the_channels() -> None:
    """Variances of 0.25 and 1 average to 0.625."""
    assert spread(FEATURES).item() == pytest.approx(0.625)


def test_gram_matrix_averages_products_of_channels() -> None:
    """Rows (1, 2) and (3, 5): (1 + 4) / 2, (3 + 10) / 2, (9 + 25) / 2."""
    expected = torch.tensor([[2.5, 6.5], [6.5, 17.0]])
    torch.testing.assert_close(gram_matrix(FEATURES), expected)


def test_gram_matrix_does_not_depend_on_resolution() -> None:
    """Every position twice gives the same matrix."""
    twice = FEATURES.repeat(1, 1, 1, 2)
    torch.testing.assert_close(gram_matrix(twice), gram_matrix(FEATURES))


def test_moments_are_covariance_and_mean() -> None:
    """Means 1.5 and 4; covariances 0.25, 0.5 and 1."""
    expected = torch.tensor([[0.25, 0.5, 1.5], [0.5, 1.0, 4.0]])
    torch.testing.assert_close(moments(FEATURES), expected)


def test_style_distance_sums_squares() -> None:
    """(1 - 0)^2 + (2 - 4)^2 is 5."""
    distance = style_distance(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]]))
    assert distance.item() == 5.0


def test_distance_to_a_mix_has_the_gradient_of_the_mixed_distances() -> None:
    """One target, the weighted mean, stands for several weighted ones."""
    x = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    a, b = torch.randn(2, 3, 3, dtype=torch.float64)
    mixed = style_distance(x, 0.3 * a + 0.7 * b)
    apart = 0.3 * style_distance(x, a) + 0.7 * style_distance(x, b)
    (one,), (two,) = (torch.autograd.grad(loss, x) for loss in (mixed, apart))
    torch.testing.assert_close(one, two)


def test_total_variation_of_a_checkerboard_is_two() -> None:
    """Every neighbour differs by one, both ways."""
    assert total_variation(checkerboard(6)).item() == pytest.approx(2.0)


def test_total_variation_of_a_ramp() -> None:
    """Steps of 0.5 along one axis only give 0.25."""
    ramp = torch.tensor([[[[0.0, 0.5, 1.0], [0.0, 0.5, 1.0]]]])
    assert total_variation(ramp).item() == pytest.approx(0.25)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 1, 7), (1, 3, 7, 1)])
def test_total_variation_of_a_line_is_finite(shape: tuple[int, ...]) -> None:
    """A picture without neighbours along an axis does not give NaN."""
    assert total_variation(torch.zeros(shape)).item() == 0.0


@pytest.mark.parametrize("loss", [gram_matrix, moments, total_variation, spread])
def test_gradients_agree_with_finite_differences(loss: Callable[[Tensor], Tensor]) -> None:
    """Autograd through each loss is right in float64."""
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (x,))
