"""The Wasserstein distance where it is hard: singular, tiny, huge and broken matrices."""

from __future__ import annotations

import pytest
import torch
from support.tables import table
from torch import Tensor

from nstd.backends.gatys.statistic import Statistic, statistic
from nstd.backends.gatys.wasserstein import EPSILON, Wasserstein, trace_of_root


def features(channels: int, positions: int, seed: int, scale: float = 1.0) -> Tensor:
    """Rectified noise (1, C, 1, N) in float32."""
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(1, channels, 1, positions, generator=generator).relu()


def distance_and_gradient(x: Tensor, target: Tensor) -> tuple[float, Tensor]:
    """From `x` to `target`."""
    x = x.clone().requires_grad_()
    distance = Wasserstein(statistic(target))(statistic(x))
    (gradient,) = torch.autograd.grad(distance, x)
    return distance.item(), gradient


@table("channels", [1, 64, 256])
@table("positions", [1, 2, 30])
@table("scale", [0.0, 1e-6, 1.0, 1e3])
def test_singular_matrices_give_finite_gradients(
    channels: int, positions: int, scale: float
) -> None:
    """Zero, rank one, and fewer positions than channels, on either side."""
    x, target = features(channels, positions, 0, scale), features(channels, 40, 1)
    for a, b in ((x, target), (target, x), (x, x)):
        distance, gradient = distance_and_gradient(a, b)
        assert distance == pytest.approx(distance)
        assert distance > -1e-3 * (scale**2 + 1)
        assert gradient.isfinite().all()


def test_float32_features_give_the_distance_of_float64() -> None:
    """With 128 channels over 20 positions, to a thousandth."""
    x, target = features(128, 20, 0), features(128, 20, 1)
    single, gradient = distance_and_gradient(x, target)
    double, exact = distance_and_gradient(x.double(), target.double())
    assert single == pytest.approx(double, rel=1e-3)
    assert (gradient - exact).norm() < 1e-2 * exact.norm()


def test_a_shift_costs_its_square() -> None:
    """Equal covariances: only the means are left."""
    x = features(16, 200, 0).double()
    distance, gradient = distance_and_gradient(x + 0.5, x)
    assert distance == pytest.approx(0.25, rel=1e-6)
    torch.testing.assert_close(gradient, torch.full_like(x, 2 * 0.5 / 16 / 200), rtol=1e-4, atol=0)


def test_a_stretch_costs_the_square_of_its_deviation() -> None:
    """In one channel, the distance of N(0, a^2) and N(0, b^2) is (a - b)^2."""
    zero = torch.zeros(1, dtype=torch.float64)
    one, nine = (torch.full((1, 1), s**2 - EPSILON, dtype=torch.float64) for s in (1.0, 3.0))
    distance = Wasserstein(Statistic(zero, nine))(Statistic(zero, one))
    assert distance.item() == pytest.approx(4.0)


def test_the_root_has_the_gradient_of_finite_differences() -> None:
    """Also where eigenvalues are equal, which the gradient of eigenvectors cannot bear."""
    start = 2 * torch.eye(4, dtype=torch.float64, requires_grad=True)

    def symmetric(x: Tensor) -> Tensor:
        return trace_of_root((x + x.T) / 2, 1e-8)

    assert torch.autograd.gradcheck(symmetric, (start,))


def test_negative_eigenvalues_count_as_the_floor() -> None:
    """Rounding makes them; they may not make NaN."""
    matrix = torch.diag(torch.tensor([4.0, -1e-6], dtype=torch.float64)).requires_grad_()
    trace = trace_of_root(matrix, 1e-8)
    assert trace.item() == pytest.approx(2 + 1e-4)
    (gradient,) = torch.autograd.grad(trace, matrix)
    torch.testing.assert_close(gradient.diagonal(), torch.tensor([0.25, 5000.0]).double())


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_broken_features_give_nan_and_no_exception(broken: float) -> None:
    """The descent looks for NaN and takes a gentler step."""
    x = features(8, 20, 0)
    x[0, 0, 0, 0] = broken
    distance, gradient = distance_and_gradient(x, features(8, 20, 1))
    assert distance != distance
    assert not gradient.isfinite().all()
