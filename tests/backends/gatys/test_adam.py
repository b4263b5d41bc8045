"""Adam inside the box."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

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
    """At the start it is the first point; after a step both count, the later one more."""
    start, one = run(0.9, 0), run(0.9, 1)
    torch.testing.assert_close(start.picture, start.point.x)
    expected = (AVERAGE * start.point.x + one.point.x) / (AVERAGE + 1)
    torch.testing.assert_close(one.picture, expected)


def bumps(size: int) -> Tensor:
    """The same smooth picture at any size."""
    t = torch.linspace(0, 6, size)
    return (0.5 + 0.2 * torch.sin(t)[:, None] * torch.cos(t)).expand(1, 3, size, size).clone()


def bumpy(x: Tensor) -> Point:
    """Evaluates the distance to 0.9, with gradients that differ from place to place."""
    return Point(x, float((x - 0.9).square().sum()), (x - 0.9) ** 3, {})


def test_the_moments_are_carried_to_the_next_level() -> None:
    """Enlarged smoothly, with the number of steps; the second stays positive."""
    coarse = Adam.start(bumps(16), bumpy, 0.02)
    for _ in range(5):
        coarse = coarse.step(bumpy, 1)
    fine = coarse.onward(bumps(32), bumpy)
    assert (fine.count, fine.rate) == (5, 0.02)
    for enlarged, small in ((fine.first, coarse.first), (fine.second, coarse.second)):
        assert enlarged.shape == (1, 3, 32, 32)
        back = functional.avg_pool2d(enlarged, 2)
        assert (back - small).abs().max() < 0.1 * small.abs().max()
    assert fine.second.min() >= coarse.second.min() > 0


def test_the_average_begins_anew_on_the_next_level() -> None:
    """Nothing of the coarser picture is left in it."""
    fine = run(0.9, 40).onward(torch.full((1, 3, 4, 4), 0.2), quadratic(0.9))
    torch.testing.assert_close(fine.picture, torch.full((1, 3, 4, 4), 0.2))


def test_a_carried_step_is_no_burst() -> None:
    """Near the minimum a fresh start would move by the whole rate; a carried one does not."""
    near = run(0.6, 400)
    x, evaluate = torch.full((1, 3, 4, 4), 0.601), quadratic(0.6)
    fresh = (Adam.start(x, evaluate, 0.02).step(evaluate, 1).point.x - x).abs().max()
    carried = (near.onward(x, evaluate).step(evaluate, 1).point.x - x).abs().max()
    assert carried < fresh / 2


def test_the_average_lies_nearer_the_minimum_than_noisy_points() -> None:
    """Gradients with noise: the average of the iterates is what the level gives."""
    generator = torch.Generator().manual_seed(0)

    def noisy(x: Tensor) -> Point:
        noise = torch.randn(x.shape, generator=generator)
        return Point(x, float((x - 0.6).square().sum()), x - 0.6 + 0.5 * noise, {})

    iterate = Adam.start(torch.full((1, 3, 8, 8), 0.5), noisy, 0.02)
    for _ in range(400):
        iterate = iterate.step(noisy, 1)
    apart = [(x - 0.6).square().mean() for x in (iterate.picture, iterate.point.x)]
    assert apart[0] < apart[1] / 2


def test_huge_gradients_do_not_make_nan() -> None:
    """Their squares would overflow float32."""

    def huge(x: Tensor) -> Point:
        return Point(x, 1.0, torch.full_like(x, 1e30), {})

    iterate = Adam.start(torch.full((1, 3, 2, 2), 0.5), huge, 0.02)
    for _ in range(3):
        iterate = iterate.step(huge, 1)
    assert iterate.point.x.flatten()[0].item() == pytest.approx(0.44, abs=1e-3)


def test_nan_is_told_and_the_rate_can_be_halved() -> None:
    """The step fails; the iterate itself is untouched and can be continued more gently."""
    good = run(0.9, 3)

    def broken(x: Tensor) -> Point:
        return Point(x, float("nan"), x, {}, finite=False)

    with pytest.raises(FloatingPointError):
        good.step(broken, 1)
    assert good.gentler().rate == good.rate / 2
    assert torch.equal(good.gentler().point.x, good.point.x)
