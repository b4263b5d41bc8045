"""The losses and their gradients, against float64 numpy written from the papers' formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.tables import table
from torch import Tensor

from nstd.backends.gatys.statistic import statistic
from nstd.backends.gatys.style_losses import STYLE_LOSSES
from nstd.backends.gatys.total_variation import total_variation
from nstd.backends.gatys.wasserstein import EPSILON

Array = NDArray[np.float64]


def gatys_style(f: Array, a: Array) -> tuple[float, Array]:
    """Gatys et al. (2016), equations 3, 4 and 6, for F of shape (N, M) and the Gram matrix A.

    Their E has 1 / (4 N^2 M^2) before sums over positions; ours has means over positions and no
    1 / (4 N^2).
    """
    n, m = f.shape
    difference = f @ f.T - a * m
    energy = float((difference**2).sum()) / (4 * n**2 * m**2)
    slope = (f.T @ difference).T / (n**2 * m**2)
    return energy * 4 * n**2, slope * 4 * n**2


def root(matrix: Array) -> Array:
    """The square root of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T)


def gaussian(f: Array) -> tuple[Array, Array]:
    """Mean and covariance of the columns of f, with EPSILON on the diagonal."""
    return f.mean(1), np.cov(f, bias=True).reshape(len(f), len(f)) + EPSILON * np.eye(len(f))


def wasserstein(f: Array, g: Array) -> tuple[float, Array]:
    """Dowson, Landau (1982), equation 4, per channel; the gradient by the optimal transport map.

    d/dS of trace(S + S* - 2 (S*^1/2 S S*^1/2)^1/2) is I - T, where T moves N(m, S) to N(m*, S*).
    """
    (m, s), (m_star, s_star) = gaussian(f), gaussian(g)
    half = root(s_star)
    middle = root(half @ s @ half)
    channels, positions = f.shape
    distance = ((m - m_star) ** 2).sum() + np.trace(s + s_star - 2 * middle)
    transport = half @ np.linalg.inv(middle) @ half
    slope = 2 * (m - m_star)[:, None] + 2 * (np.eye(channels) - transport) @ (f - m[:, None])
    return float(distance) / channels, slope / positions / channels


def variation(x: Array, diagonals: float) -> float:
    """Mahendran, Vedaldi (2015), with beta = 2, pixel by pixel; diagonals at half the weight."""
    height, width = x.shape[1:]

    def mean(dy: int, dx: int) -> float:
        pairs = [
            (x[:, i + dy, j + dx] - x[:, i, j]) ** 2
            for i in range(height - dy)
            for j in range(max(0, -dx), width - max(0, dx))
        ]
        return float(np.mean(pairs)) if pairs else 0.0

    straight, slanted = mean(1, 0) + mean(0, 1), mean(1, 1) + mean(1, -1)
    return (1 - diagonals) * straight + diagonals / 2 * slanted


def arrays(seed: int, *shapes: tuple[int, ...]) -> list[Array]:
    """Rectified noise with channels of different strength, as features are."""
    rng = np.random.default_rng(seed)
    return [np.maximum(rng.normal(size=shape) * rng.uniform(0.1, 3) + 0.3, 0) for shape in shapes]


def with_gradient(loss: Callable[[Tensor], Tensor], x: Array) -> tuple[float, Array]:
    """The value of `loss` at `x` and its gradient, in float64."""
    at = torch.tensor(x, requires_grad=True)
    value = loss(at)
    (gradient,) = torch.autograd.grad(value, at)
    return value.item(), gradient.numpy()


def style_loss(name: str, target: Array) -> Callable[[Tensor], Tensor]:
    """The registered loss towards features of shape (C, N), as a function of such features."""
    loss = STYLE_LOSSES[name](statistic(torch.tensor(target)[None, :, None]))
    return lambda x: loss(statistic(x[None, :, None]))


shapes = st.tuples(st.integers(1, 6), st.integers(1, 40))
seeds = st.integers(0, 2**32 - 1)


@given(seeds, shapes, st.integers(1, 40))
def test_the_gram_loss_is_that_of_the_paper(
    seed: int, shape: tuple[int, int], positions: int
) -> None:
    """Value and gradient, whatever the sizes of the two pictures."""
    f, g = arrays(seed, shape, (shape[0], positions))
    value, gradient = with_gradient(style_loss("gram", g), f)
    expected = gatys_style(f, g @ g.T / positions)
    assert value == pytest.approx(expected[0], rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-10)


@given(seeds, shapes, st.integers(1, 40))
def test_the_wasserstein_loss_is_that_of_the_formula(
    seed: int, shape: tuple[int, int], positions: int
) -> None:
    """Value and gradient, also with fewer positions than channels."""
    f, g = arrays(seed, shape, (shape[0], positions))
    value, gradient = with_gradient(style_loss("w2", g), f)
    expected = wasserstein(f, g)
    assert value == pytest.approx(expected[0], rel=1e-6, abs=1e-9)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-5, atol=1e-7)


@given(seeds, shapes, st.integers(1, 40))
def test_the_moments_loss_compares_covariance_and_mean(
    seed: int, shape: tuple[int, int], positions: int
) -> None:
    """As numpy has them."""
    f, g = arrays(seed, shape, (shape[0], positions))
    value, _ = with_gradient(style_loss("moments", g), f)
    covariances = gaussian(f)[1] - gaussian(g)[1]
    expected = (covariances**2).sum() + ((f.mean(1) - g.mean(1)) ** 2).sum()
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(seeds, st.tuples(st.just(3), st.integers(1, 6), st.integers(1, 6)), st.floats(0, 1))
def test_total_variation_is_the_sum_over_pixels(
    seed: int, shape: tuple[int, int, int], diagonals: float
) -> None:
    """Pictures of one row or column included."""
    (x,) = arrays(seed, shape)
    value = total_variation(torch.tensor(x)[None], diagonals)
    assert value.item() == pytest.approx(variation(x, diagonals), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", STYLE_LOSSES)
@given(seed=seeds)
def test_a_style_loss_is_zero_at_its_target_only(name: str, seed: int) -> None:
    """But for rounding."""
    f, g = arrays(seed, (4, 30), (4, 30))
    assert with_gradient(style_loss(name, f), f)[0] == pytest.approx(0, abs=1e-9)
    assert with_gradient(style_loss(name, f), g)[0] > 1e-4


@table("name", STYLE_LOSSES)
def test_gradients_of_style_losses_agree_with_finite_differences(name: str) -> None:
    """Through the statistic, in float64."""
    f, g = arrays(1, (4, 9), (4, 9))
    x = torch.tensor(f + 0.01, requires_grad=True)
    assert torch.autograd.gradcheck(style_loss(name, g), (x,))


@table("name", STYLE_LOSSES)
def test_a_style_loss_after_a_map_is_that_of_mapped_features(name: str) -> None:
    """Value and gradient."""
    f, g, turn = (torch.tensor(x) for x in arrays(2, (4, 9), (4, 12), (4, 4)))
    mapped = STYLE_LOSSES[name](statistic(g[None, :, None]), turn)
    found = with_gradient(lambda x: mapped(statistic(x[None, :, None])), f.numpy())
    plain = style_loss(name, (turn @ g).numpy())
    value, gradient = with_gradient(lambda x: plain(turn @ x), f.numpy())
    assert found[0] == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("diagonals", [0.0, 1 / 3])
def test_gradients_of_total_variation_agree_with_finite_differences(diagonals: float) -> None:
    """In float64."""
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: total_variation(x, diagonals), (x,))


def checkerboard(side: int) -> Tensor:
    """Zeros and ones that alternate both ways, (1, 1, side, side)."""
    grid = torch.arange(side)
    return ((grid[:, None] + grid) % 2).float()[None, None]


@table(("diagonals", "expected"), [(0.0, 2.0), (1 / 3, 4 / 3), (1.0, 0.0)])
def test_total_variation_of_a_checkerboard(diagonals: float, expected: float) -> None:
    """Every straight neighbour differs by one, no diagonal one does."""
    assert total_variation(checkerboard(6), diagonals).item() == pytest.approx(expected, abs=1e-6)


@table("diagonals", [0.0, 1 / 3, 1.0])
def test_total_variation_of_a_ramp_does_not_depend_on_the_stencil(diagonals: float) -> None:
    """Steps of 0.5 along one axis give 0.25 with any share of diagonals."""
    ramp = (0.5 * torch.arange(5.0)).expand(1, 1, 4, 5)
    assert total_variation(ramp, diagonals).item() == pytest.approx(0.25)


@table("shape", [(1, 3, 1, 1), (1, 3, 1, 7), (1, 3, 7, 1)])
@table("diagonals", [0.0, 1 / 3])
def test_total_variation_of_a_line_is_finite(shape: tuple[int, ...], diagonals: float) -> None:
    """A picture without neighbours along an axis does not give NaN, nor does its gradient."""
    x: Any = torch.zeros(shape, requires_grad=True)
    (total_variation(x, diagonals) + 0 * x.sum()).backward()
    assert x.grad.abs().sum() == 0
