"""When an attempt will be done, as its worker tells it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from nstd.executors.worker.eta import Eta


def told(
    share: Callable[[float], float], seconds: float, every: float = 1.0
) -> list[tuple[float, float]]:
    """What is left in truth and as told, of a job of so many seconds, at each report."""
    eta, pairs = Eta(), []
    for number in range(int(seconds / every)):
        now = number * every
        left = eta.seconds(now, share(now / seconds))
        if left is not None:
            pairs.append((seconds - now, left))
    return pairs


def slow_at_first(time: float) -> float:
    """The share that is done at a share of the time: the coarse levels take three times as long."""
    return time / 3 if time < 0.3 else 0.1 + (time - 0.3) * 0.9 / 0.7


def in_jumps(time: float) -> float:
    """Levels end early: their rest is done at once."""
    return min(1.0, 0.7 * time + 0.1 * (time > 0.3) + 0.2 * (time > 0.6))


@pytest.mark.parametrize("share", [slow_at_first, in_jumps])
@pytest.mark.parametrize("seconds", [40.0, 170.0, 3000.0])
def test_what_is_left_does_not_swing(share: Callable[[float], float], seconds: float) -> None:
    """From one second to the next it moves by less than a quarter, beside running down."""
    pairs = told(share, seconds)
    for (_, before), (_, after) in pairwise(pairs):
        assert abs(after - (before - 1)) <= max(1.0, before / 4)


def test_what_is_left_of_steady_work_is_right(seconds: float = 100.0) -> None:
    """Once a fiftieth of it was seen."""
    pairs = told(lambda time: time, seconds)
    assert len(pairs) > 95
    assert all(left == pytest.approx(truth, rel=0.05, abs=0.5) for truth, left in pairs)


def test_the_pace_of_slow_beginnings_is_forgotten() -> None:
    """Halfway through, what they took does not count any more."""
    pairs = told(slow_at_first, 170.0)
    late = [(truth, left) for truth, left in pairs if 10 < truth < 60]
    assert all(0.7 < left / truth < 1.4 for truth, left in late)


def test_work_that_is_left_out_does_not_count_as_fast() -> None:
    """A level that ends early is done at once; what is left goes on at the pace of before."""
    pairs = told(in_jumps, 170.0)
    late = [(truth, left) for truth, left in pairs if truth < 170 * 0.3]
    assert all(left == pytest.approx(truth, rel=0.2, abs=3) for truth, left in late)
    assert all(after < before for (_, before), (_, after) in pairwise(pairs))


def test_work_that_begins_anew_is_estimated_anew() -> None:
    """Such as once more, in smaller tiles."""
    eta = Eta()
    for second in range(50):
        eta.seconds(float(second), second / 100)
    assert eta.seconds(50.0, 0.0) is None
    assert eta.seconds(51.0, 0.1) == pytest.approx(9.0)


def test_nothing_is_told_before_some_work_was_seen() -> None:
    """After a restart from a checkpoint, too."""
    eta = Eta()
    assert eta.seconds(0.0, 0.6) is None
    assert eta.seconds(1.0, 0.615) is None
    assert eta.seconds(2.0, 0.63) == pytest.approx(0.37 / 0.015)
    assert eta.seconds(3.0, 1.0) == 0
