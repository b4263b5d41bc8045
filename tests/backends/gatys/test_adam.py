"""Adam inside the box."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nstd.backends.gatys.adam import AVERAGE, Adam
from nstd.backends.gatys.iterate import Evaluate, Point


def quadratic(target: float) -> Evaluate:
    """Evaluates the squared distance to `target`."""

    def evaluate(x: Tensor) -> Point:
        return Point(x, float((x - target).square().sum()), 2 * (x - target), {})

    return evaluate


def run(target: float, steps: int, rate: float = 0.02) -> Adam:
    """`steps` steps from 0.5."""
    evaluate = quadratic(target)
    iterate = Adam.start(torch.full((1, 3, 2, 2), 0.5), evaluate, rate)
    for _ in range(steps):
        iterate = iterate.step(evaluate, 1)
    return iterate


def test_the_first_step_is_the_learning_rate() -> None:
    """Bias correction makes the first move exactly as long as the rate."""
    assert run(0.9, 1).point.x.flatten()[0].item() == pytest.approx(0.52, abs=1e-6)


def test_it_agrees_with_torch_away_from_the_box() -> None:
    """The same path as torch.optim.Adam with the same settings."""
    x = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    other = torch.optim.Adam([x], lr=0.01, betas=(0.9, 0.99), eps=1e-12)
    for _ in range(10):
        (x.grad,) = torch.autograd.grad((x - 0.7).square().sum(), x)
        other.step()
    torch.testing.assert_close(run(0.7, 10, 0.01).point.x, x.detach())


def test_the_picture_stays_in_the_box() -> None:
    """A minimum outside is approached up to the border."""
    assert run(3.0, 60).point.x.max() == 1.0
    assert run(-3.0, 60).point.x.min() == 0.0


def test_the_average_is_corrected_for_its_start() -> None:
    """After one step the average of the iterates is that iterate."""
    one = run(0.9, 1)
    torch.testing.assert_close(one.picture, one.point.x)
    two = run(0.9, 2)
    expected = (AVERAGE * one.point.x + two.point.x) / (AVERAGE + 1)
    torch.testing.assert_close(two.picture, expected)


def test_nan_is_told_and_the_rate_can_be_halved() -> None:
    """The step fails; the iterate itself is untouched and can be continued more gently."""
    good = run(0.9, 3)

    def broken(x: Tensor) -> Point:
        return Point(x, float("nan"), x, {}, finite=False)

    with pytest.raises(FloatingPointError):
        good.step(broken, 1)
    assert good.gentler().rate == good.rate / 2
    assert torch.equal(good.gentler().point.x, good.point.x)
