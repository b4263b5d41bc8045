"""The descent: optimises level by level until a plateau or the end of the budget; can be
resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from nstd.backend import Progress, Report
from nstd.backends.gatys.adam import Adam
from nstd.backends.gatys.budget import Budget
from nstd.backends.gatys.iterate import Evaluate, Iterate, Point
from nstd.backends.gatys.lbfgs import LBFGS
from nstd.backends.gatys.pyramid import Level
from nstd.errors import BackendError

if TYPE_CHECKING:
    from nstd.backend import Pixels

RETRIES = 4  # tries with smaller steps after NaN

OPTIMISERS: dict[str, type[Iterate]] = {"lbfgs": LBFGS, "adam": Adam}


class LossProblem(Protocol):
    """The problem to optimise."""

    def objective(self, level: Level) -> Evaluate:
        """The loss of pictures with the size of `level`."""
        ...

    def begin(self, level: Level, coarser: tuple[Level, Tensor] | None) -> Tensor:
        """The start picture of `level`, given the level before and its picture."""
        ...


@dataclass(frozen=True)
class Standing:
    """The state of the descent between two steps, as a checkpoint saves it.

    `level` counts from 0; `used` are its evaluations, `spent` those of the levels before; `best`
    has the least loss after each of the last steps; `stuck`: no step lowers the loss.
    """

    iterate: Iterate
    level: int
    used: int
    spent: int
    best: tuple[float, ...]
    stuck: bool = False

    def state(self) -> dict[str, Any]:
        """The state as plain values and tensors."""
        return vars(self) | {"iterate": self.iterate.state()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], optimizer: str) -> Standing:
        """The standing with this `state`."""
        iterate = OPTIMISERS[optimizer].restore(state["iterate"])
        return cls(**{**state, "iterate": iterate})

    def moved(self, iterate: Iterate, used: int) -> Standing:
        """The standing after a step."""
        best = (*self.best, min(self.best[-1], iterate.point.loss))
        return replace(self, iterate=iterate, used=used, best=best[-iterate.patience - 1 :])

    def plateau(self, tolerance: float, patience: int | None = None) -> bool:
        """Whether the last steps lowered the loss by less than the share `tolerance`: as many steps
        as the optimiser needs, or fewer with a smaller `patience`."""
        steps = self.iterate.patience if patience is None else min(patience, self.iterate.patience)
        if self.stuck or len(self.best) <= steps:
            return self.stuck
        return self.best[-steps - 1] - self.best[-1] <= tolerance * abs(self.best[-1])


class Descent:
    """One run over all levels, from the coarsest or from a checkpoint."""

    def __init__(
        self,
        *,
        problem: LossProblem,
        levels: Sequence[Level],
        budget: Budget,
        start: Callable[[Tensor, Evaluate], Iterate],
        tolerance: float,
        report: Report,
        save: Callable[[Standing], bytes],
        show: Callable[[Tensor], Pixels],
        patience: int | None = None,
    ) -> None:
        """`budget` limits the evaluations of `levels`; `start` makes the first iterate.

        `tolerance` and `patience` say what a plateau is; see `Standing.plateau`.
        `save` turns a standing into a checkpoint; `show` turns a picture into a preview.
        """
        self._problem = problem
        self._levels = levels
        self._budget = budget
        self._start = start
        self._plateau = tolerance, patience
        self._report = report
        self._save = save
        self._show = show

    def run(self, at: Standing | None = None) -> tuple[Tensor, str]:
        """The final picture (1, 3, H, W) in [0, 1], and what ended the run: `plateau` or the
        budget.

        `at` is the standing of an interrupted run. Raises BackendError `diverged`.
        """
        for number in range(at.level if at else 0, len(self._levels)):
            begun = at is not None and at.level == number
            if begun or self._left(number, 0):
                at = self._level(number, at)
        assert at is not None  # a budget has at least one evaluation
        early = at.plateau(*self._plateau) and self._left(at.level, at.used)
        note = "" if early else self._budget.shortfall(at.level, at.used, at.spent)
        done = _Meter(self._budget, at.level, at.used, at.spent).progress()
        self._report_progress(replace(done, fraction=1.0, note=note), at, at.iterate.point)
        return self._full_size(at), "plateau" if early else self._budget.ends

    def _level(self, number: int, at: Standing | None) -> Standing:
        """Optimise one level to its end."""
        level = self._levels[number]
        objective = self._problem.objective(level)
        spent = at.spent + (at.used if at.level < number else 0) if at else 0
        used = at.used if at and at.level == number else 0
        meter = _Meter(self._budget, number, used, spent)

        def evaluate(x: Tensor) -> Point:
            point = objective(x)
            meter.count()
            self._report_progress(meter.progress(), at, point)
            return point

        if at is None or at.level < number:
            iterate = self._enter(level, at, evaluate)
            at = Standing(iterate, number, meter.used, spent, (iterate.point.loss,))
        while (left := self._left(number, at.used)) and not at.plateau(*self._plateau):
            moved = self._step(at.iterate, evaluate, left)
            at = at.moved(moved, meter.used) if moved else replace(at, stuck=True)
        return at

    def _left(self, number: int, used: int) -> int:
        """The evaluations that a level may still take."""
        return self._budget.expected(number, used)[0]

    def _full_size(self, at: Standing) -> Tensor:
        """The picture of `at`, enlarged over the levels that the budget did not reach."""
        coarse, full = self._levels[at.level], self._levels[-1]
        if coarse is full:
            return at.iterate.picture
        return self._problem.begin(full, (coarse, at.iterate.picture))

    def _enter(self, level: Level, before: Standing | None, evaluate: Evaluate) -> Iterate:
        """Start a level with the picture of the level before."""
        coarser = (self._levels[before.level], before.iterate.picture) if before else None
        picture = self._problem.begin(level, coarser)
        try:
            if before is not None:
                return before.iterate.onward(picture, evaluate)
            return self._start(picture, evaluate)
        except FloatingPointError:
            raise _diverged() from None

    def _step(self, iterate: Iterate, evaluate: Evaluate, budget: int) -> Iterate | None:
        """One step; after NaN, go back to `iterate` and continue with smaller steps."""
        for _ in range(RETRIES):
            try:
                return iterate.step(evaluate, budget)
            except FloatingPointError:
                iterate = iterate.gentler()
        raise _diverged()

    def _report_progress(self, progress: Progress, at: Standing | None, point: Point) -> None:
        """Report with the losses and the picture of the last complete step: probes of a search
        vary."""
        begun = at is not None and at.level == progress.level - 1
        shown = at.iterate.point if at and begun else point
        picture = at.iterate.picture if at else point.picture
        self._report(
            replace(
                progress,
                losses=shown.terms if shown.finite else {},
                state=(lambda: self._save(at)) if at else None,
                picture=lambda: self._show(picture),
            )
        )


@dataclass
class _Meter:
    """Counts the evaluations of a level, and computes the progress of the run."""

    budget: Budget
    number: int
    used: int
    spent: int

    def count(self) -> None:
        """Count one evaluation."""
        self.used += 1
        self.budget.evaluated(self.number)

    def progress(self) -> Progress:
        """The steps and the share of the work that is done, estimated from the budget."""
        expected = self.budget.expected(self.number, self.used)
        step = self.spent + self.used
        return Progress(
            step=step,
            steps=step + sum(expected),
            fraction=self.budget.fraction(self.number, self.used),
            level=self.number + 1,
            levels=self.number + len(expected),
        )


def _diverged() -> BackendError:
    return BackendError(
        "diverged",
        "the optimisation met NaN or infinity and smaller steps did not help",
        "lower content_weight, style_weight or learning_rate, or look at the pictures",
    )
