"""L-BFGS and its line search, on functions whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nstd.backends.gatys import lbfgs
from nstd.backends.gatys.iterate import Evaluate, Point
from nstd.backends.gatys.lbfgs import HISTORY, LBFGS
from nstd.backends.gatys.wolfe import CURVATURE, DECREASE, Trial, strong_wolfe


def evaluating(function: Callable[[Tensor], Tensor]) -> tuple[Evaluate, list[Tensor]]:
    """`function` with its gradient, and the list of points at which it is evaluated."""
    seen: list[Tensor] = []

    def evaluate(x: Tensor) -> Point:
        seen.append(x)
        leaf = x.detach().requires_grad_()
        loss = function(leaf)
        (gradient,) = torch.autograd.grad(loss, leaf)
        finite = math.isfinite(loss.item()) and bool(gradient.isfinite().all())
        return Point(x, loss.item(), gradient, {"total": loss.item()}, finite)

    return evaluate, seen


def rosenbrock(x: Tensor) -> Tensor:
    """The banana valley, least (0) where all are one."""
    a, b = x[:-1], x[1:]
    return (100 * (b - a**2) ** 2 + (1 - a) ** 2).sum()


def descend(evaluate: Evaluate, x: Tensor, steps: int) -> LBFGS:
    """At most `steps` steps from x."""
    iterate = LBFGS.start(x, evaluate)
    for _ in range(steps):
        following = iterate.step(evaluate, 100)
        if following is None:
            break
        iterate = following
    return iterate


def test_a_quadratic_is_solved() -> None:
    """An ill-conditioned quadratic in 10 dimensions: to 1e-6 in 80 steps."""
    scales = torch.logspace(0, 3, 10, dtype=torch.float64)
    evaluate, _ = evaluating(lambda x: (scales * (x - 3) ** 2).sum())
    end = descend(evaluate, torch.zeros(10, dtype=torch.float64), 80)
    torch.testing.assert_close(end.point.x, torch.full_like(scales, 3.0), atol=1e-6, rtol=0)


def test_rosenbrock_is_solved_with_few_evaluations() -> None:
    """The valley is followed to its end in under 100 evaluations, of which none is repeated."""
    evaluate, seen = evaluating(rosenbrock)
    end = descend(evaluate, torch.tensor([-1.2, 1.0], dtype=torch.float64), 60)
    assert end.point.loss < 1e-10
    assert len(seen) < 100
    assert len({tuple(x.tolist()) for x in seen}) == len(seen)


def test_the_loss_never_rises() -> None:
    """Every step ends at or below the one before."""
    evaluate, _ = evaluating(rosenbrock)
    iterate = LBFGS.start(torch.linspace(-2, 2, 20), evaluate)
    for _ in range(30):
        following = iterate.step(evaluate, 20)
        assert following is not None
        assert following.point.loss <= iterate.point.loss
        iterate = following
    assert len(iterate.pairs) <= HISTORY


def test_the_direction_is_newtons_where_the_pairs_span_the_space() -> None:
    """With a pair per axis of a diagonal quadratic the inverse Hessian is exact."""
    hessian = torch.tensor([2.0, 8.0], dtype=torch.float64)
    axes = torch.eye(2, dtype=torch.float64)
    gradient = torch.tensor([4.0, 4.0], dtype=torch.float64)
    point = Point(torch.zeros(2, dtype=torch.float64), 0.0, gradient, {})
    pairs = tuple((axis, hessian * axis, 1 / (axis @ (hessian * axis))) for axis in axes)
    iterate = LBFGS(point, pairs)
    torch.testing.assert_close(iterate.direction(), -gradient / hessian)


def test_a_restored_iterate_goes_on_identically() -> None:
    """Saved and restored in the middle, the rest of the descent is the same to the last bit."""
    evaluate, _ = evaluating(rosenbrock)
    half = descend(evaluate, torch.linspace(-1, 2, 10), 7)
    restored = LBFGS.restore(half.state())
    for _ in range(5):
        half, restored = (next_of(one, evaluate) for one in (half, restored))
    assert torch.equal(half.point.x, restored.point.x)


def test_a_checkpoint_leaves_large_pairs_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint of a large picture is not twenty times as large; the descent goes on from it."""
    evaluate, _ = evaluating(rosenbrock)
    half = descend(evaluate, torch.zeros(8, dtype=torch.float64), 12)
    size = sum(s.nbytes + y.nbytes for s, y, _ in half.pairs)
    monkeypatch.setattr(lbfgs, "SAVED", size)
    assert half.state()["pairs"] == half.pairs
    monkeypatch.setattr(lbfgs, "SAVED", size - 1)
    restored = LBFGS.restore(half.state())
    assert restored.pairs == ()
    assert restored.point.loss == half.point.loss
    for _ in range(20):
        restored = next_of(restored, evaluate)
    assert restored.point.loss < 0.1 * half.point.loss


def next_of(iterate: LBFGS, evaluate: Evaluate) -> LBFGS:
    """One step that must lead down."""
    following = iterate.step(evaluate, 20)
    assert following is not None
    return following


def test_no_step_is_made_at_a_minimum() -> None:
    """A zero gradient ends the descent instead of dividing by zero."""
    evaluate, seen = evaluating(lambda x: (x**2).sum())
    assert LBFGS.start(torch.zeros(4), evaluate).step(evaluate, 20) is None
    assert len(seen) == 1


def test_nan_ahead_shortens_the_step() -> None:
    """A function that is NaN beyond a wall is still descended in front of it."""
    evaluate, _ = evaluating(lambda x: (-torch.log(1 - x) - 5 * x).sum())
    end = descend(evaluate, torch.zeros(1, dtype=torch.float64), 30)
    assert end.point.x.item() == pytest.approx(0.8, abs=1e-5)


def test_nan_everywhere_is_told() -> None:
    """When no probe is finite the step fails instead of staying in place for ever."""
    evaluate, _ = evaluating(lambda x: (x**2).sum())
    iterate = LBFGS.start(torch.ones(2), evaluate)
    nan, _ = evaluating(lambda x: (x * float("nan")).sum())
    with pytest.raises(FloatingPointError):
        iterate.step(nan, 5)
    with pytest.raises(FloatingPointError):
        LBFGS.start(torch.ones(2), nan)


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 30.0])
def test_the_line_search_meets_both_wolfe_conditions(first: float) -> None:
    """From far too short to far too long a first length, on a curve with several minima."""

    def curve(t: float) -> tuple[float, float]:
        return math.cos(t) + 0.01 * t * t, -math.sin(t) + 0.02 * t

    def probe(t: float) -> Trial:
        loss, slope = curve(t)
        return Trial(t, Point(torch.tensor(t), loss, torch.tensor(slope), {}), slope)

    start = probe(0.5)
    shifted = Trial(0.0, start.point, start.slope)
    found = strong_wolfe(
        shifted, first, lambda t: Trial(t, probe(t + 0.5).point, probe(t + 0.5).slope), 20
    )
    assert found.point.loss <= start.point.loss + DECREASE * found.length * start.slope
    assert abs(found.slope) <= CURVATURE * abs(start.slope)


def test_the_line_search_keeps_to_its_budget() -> None:
    """It returns the best point so far when the budget is spent."""
    evaluate, seen = evaluating(lambda x: (1e6 * x**4).sum())
    iterate = LBFGS.start(torch.ones(3, dtype=torch.float64), evaluate)
    iterate.step(evaluate, 3)
    assert len(seen) <= 4


def test_large_pictures_are_remembered_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs take a bounded amount of memory, but some are always kept."""
    for memory, pairs in ((10**9, lbfgs.HISTORY), (12_000, 5), (0, lbfgs.LEAST)):
        monkeypatch.setattr(lbfgs, "MEMORY", memory)
        assert lbfgs.remembered(1200) == pairs
