"""How many evaluations each level may take."""

from __future__ import annotations

import itertools
import time
from itertools import pairwise

import pytest
from pydantic import ValidationError
from support.gatys import narrow, photograph, run, task

from nstd.backend import Interrupted, Progress
from nstd.backends import gatys
from nstd.backends.gatys import Gatys, Options, engine
from nstd.backends.gatys.budget import LEAST, START, Clock, Count
from nstd.backends.gatys.pyramid import Level

LEVELS = (Level(10, 10, 150), Level(20, 20, 100), Level(40, 40, 50))
PACE = 0.001  # seconds for a pixel


class Machine:
    """Does evaluations at a known pace, as the descent would, on a clock that stands still."""

    def __init__(self, seconds: float, begun: float = 0.0) -> None:
        self.now = begun
        self.clock = Clock(LEVELS, seconds, lambda: self.now)

    def run(self, patience: int | None = None) -> list[int]:
        """The evaluations on each level; one of the first level takes at most `patience`."""
        made = []
        for number, level in enumerate(LEVELS):
            used = 0
            if self.clock.expected(number, 0)[0]:
                self.now += (START - 1) * PACE * level.pixels
                while not used or self.clock.expected(number, used)[0]:
                    self.now += PACE * level.pixels
                    used += 1
                    self.clock.evaluated(number)
                    if number == 0 and used == patience:
                        break
            made.append(used)
        return made


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)


def test_the_plan_is_followed_by_count() -> None:
    """Less what is used, and the share of the work grows to one.

    An evaluation on a coarse level counts for more than its pixels: it costs something at any size.
    """
    count = Count(LEVELS)
    assert count.expected(0, 150) == [0, 100, 50]
    assert count.expected(1, 30) == [70, 50]
    shares = [count.fraction(0, 0), count.fraction(0, 150), count.fraction(1, 100)]
    assert shares[0] == 0
    assert 15 / 135 < shares[1] <= 150 / 300
    assert shares[1] < shares[2]
    assert 55 / 135 < shares[2] <= 250 / 300
    assert count.fraction(2, 50) == 1


@pytest.mark.parametrize("seconds", [40, 60, 135, 270, 2000])
def test_time_is_shared_like_the_work_of_the_plan(seconds: float) -> None:
    """All levels get the same share of their plan, and it ends within one evaluation."""
    machine = Machine(seconds)
    made = machine.run()
    shares = [used / level.evaluations for used, level in zip(made, LEVELS, strict=True)]
    assert max(shares) < 1.3 * min(shares) + 0.05
    assert seconds - 1.1 * PACE * LEVELS[-1].pixels <= machine.now <= seconds


@pytest.mark.parametrize(
    ("seconds", "levels"), [(0.01, 1), (0.5, 1), (3, 1), (6, 2), (10, 2), (40, 3)]
)
def test_a_short_time_leaves_the_finest_levels_out(seconds: float, levels: int) -> None:
    """A level that is begun gets a few evaluations at least; the first always gets one."""
    machine = Machine(seconds)
    made = machine.run()
    assert [used > 0 for used in made] == [number < levels for number in range(3)]
    assert all(used >= LEAST for used in made[1:levels])
    assert machine.now <= max(seconds, 0.2)


def test_no_level_is_begun_in_vain() -> None:
    """Whatever the time, a finer level gets a few evaluations or none."""
    for tenths in range(1, 600, 3):
        assert all(not used or used >= LEAST for used in Machine(tenths / 10).run()[1:])


def test_time_that_a_plateau_saves_goes_to_the_finer_levels() -> None:
    """They get more than their plan has."""
    machine = Machine(135)
    saved = machine.run(patience=10)
    assert saved[0] == 10
    assert saved[1] > 100
    assert saved[2] > 50


def test_time_spent_before_counts() -> None:
    """With nothing left there is one evaluation to have a picture at all."""
    assert Machine(10, begun=30).run() == [1, 0, 0]


@pytest.mark.parametrize("seconds", [0.4, 1.5])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_run_ends_in_time_at_full_size(seconds: float, optimizer: str) -> None:
    """It says that the budget ended it, and tells its progress by the clock."""
    run(task(steps=1))  # imports
    began = time.perf_counter()
    result, seen = run(task(photograph(128, 256), budget=seconds, optimizer=optimizer, tolerance=0))
    assert time.perf_counter() - began < seconds + 60
    assert result.pixels.shape == (128, 256, 3)
    assert result.stopped == "budget"
    assert all(one.fraction <= two.fraction for one, two in pairwise(seen))
    assert all(progress.step <= progress.steps for progress in seen)
    assert seen[-1].fraction == 1.0


def test_a_plateau_ends_a_long_budget_early() -> None:
    """Nothing would be gained by waiting."""
    result, _ = run(task(budget="1h", tolerance=0.5))
    assert result.stopped == "plateau"


def test_few_steps_still_give_the_full_size() -> None:
    """One evaluation on the coarsest level is carried to the size of the content."""
    result, seen = run(task(photograph(64, 256), steps=1))
    assert result.pixels.shape == (64, 256, 3)
    assert seen[-1].step == 1


def test_a_resumed_run_does_not_get_its_budget_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds before the interruption are in the checkpoint."""
    seconds = 0.0

    def tick() -> float:
        nonlocal seconds
        seconds += 0.1
        return seconds

    monkeypatch.setattr(engine, "now", tick)
    monkeypatch.setattr(gatys, "perf_counter", tick)
    saved: list[bytes] = []

    def interrupt(progress: Progress) -> None:
        if progress.state is not None and progress.step >= 8:
            saved.append(progress.state())
            raise Interrupted

    def job(state: bytes | None = None) -> Progress:
        seen: list[Progress] = []
        Gatys().run(task(budget=12, tolerance=0, state=state), seen.append)
        return seen[-1]

    whole = job()
    with pytest.raises(Interrupted):
        Gatys().run(task(budget=12, tolerance=0), interrupt)
    again = job(saved[0])
    assert again.step == pytest.approx(whole.step, rel=0.1)


def test_a_budget_that_ends_far_before_the_preset_is_told() -> None:
    """How many steps and what share of the work; a level that was left out counts as not done."""
    clock = Clock(LEVELS, 5, lambda: 0.0)
    assert "5s ended the work after 2 of the 300 steps of the preset, about 1% of" in (
        clock.shortfall(0, 2, 0)
    )
    assert "after 250 of the 300 steps" in Clock(
        [*LEVELS[:2], Level(4000, 4000, 50)], 5, lambda: 0.0
    ).shortfall(1, 100, 150)
    assert clock.shortfall(2, 30, 250) == ""
    assert clock.shortfall(2, 50, 20) == ""  # plateaus have ended the levels before
    assert Count(LEVELS).shortfall(0, 2, 0) == ""


def test_the_last_report_of_a_run_tells_a_budget_that_was_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And none of a run that had the time it needs."""
    seconds = itertools.count(step=0.1)
    monkeypatch.setattr(engine, "now", lambda: next(seconds))
    monkeypatch.setattr(gatys, "perf_counter", lambda: next(seconds))
    _, seen = run(task(budget=2, tolerance=0))
    assert "the budget of 2s ended the work after" in seen[-1].note
    _, seen = run(task(budget="1h", tolerance=0.5))
    assert not any(progress.note for progress in seen)


@pytest.mark.parametrize("options", [{"budget": 0}, {"budget": "60"}, {"budget": 9, "steps": 9}])
def test_bad_budgets_are_refused(options: dict[str, object]) -> None:
    """None at all, no unit, and two that exclude each other."""
    with pytest.raises(ValidationError):
        Options(**options)
