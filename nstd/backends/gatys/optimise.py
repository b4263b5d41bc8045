"""The descent: level by level, step by step, until a plateau or the limit; resumable anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor

from nstd.backend import Progress, Report
from nstd.backends.gatys.adam import Adam
from nstd.backends.gatys.iterate import Evaluate, Iterate, Point
from nstd.backends.gatys.lbfgs import LBFGS
from nstd.backends.gatys.pyramid import Level
from nstd.backends.gatys.tensors import to_pixels
from nstd.errors import BackendError

RETRIES = 4  # gentler steps that are tried after NaN

OPTIMISERS: dict[str, type[Iterate]] = {"lbfgs": LBFGS, "adam": Adam}


class Problem(Protocol):
    """What is optimised."""

    def objective(self, level: Level) -> Evaluate:
        """The loss of pictures of that level's size."""
        ...

    def begin(self, level: Level, coarser: tuple[Level, Tensor] | None) -> Tensor:
        """Where the descent on `level` starts, given the level before and its picture."""
        ...


@dataclass(frozen=True)
class Standing:
    """Where the descent stands between two steps: all that a checkpoint must hold.

    `level` counts from 0; `used` are the evaluations on it, `spent` those of the levels before;
    `best` is the least loss after each of the last steps; `stuck` means no step leads down.
    """

    iterate: Iterate
    level: int
    used: int
    spent: int
    best: tuple[float, ...]
    stuck: bool = False

    def state(self) -> dict[str, Any]:
        """Everything as plain values and tensors."""
        return vars(self) | {"iterate": self.iterate.state()}

    @classmethod
    def restore(cls, state: Mapping[str, Any], optimizer: str) -> Standing:
        """The standing whose `state` this was."""
        iterate = OPTIMISERS[optimizer].restore(state["iterate"])
        return cls(**{**state, "iterate": iterate})

    def moved(self, iterate: Iterate, used: int) -> Standing:
        """The standing after a step."""
        best = (*self.best, min(self.best[-1], iterate.point.loss))
        return replace(self, iterate=iterate, used=used, best=best[-iterate.patience - 1 :])

    def plateau(self, tolerance: float) -> bool:
        """Whether the last steps lowered the loss by less than that share of it."""
        if self.stuck or len(self.best) <= self.iterate.patience:
            return self.stuck
        return self.best[0] - self.best[-1] <= tolerance * abs(self.best[-1])


class Descent:
    """One run over all levels, from the coarsest or from where a checkpoint stands."""

    def __init__(
        self,
        *,
        problem: Problem,
        levels: Sequence[Level],
        start: Callable[[Tensor, Evaluate], Iterate],
        tolerance: float,
        report: Report,
        save: Callable[[Standing], bytes],
    ) -> None:
        """`start` makes the first iterate of a level; `save` turns a standing into a checkpoint."""
        self._problem = problem
        self._levels = levels
        self._start = start
        self._tolerance = tolerance
        self._report = report
        self._save = save

    def run(self, at: Standing | None = None) -> tuple[Tensor, str]:
        """The final picture (1, 3, H, W) in [0, 1], and what ended it: `plateau` or `limit`.

        `at` is where an interrupted run stood. Raises BackendError `diverged`.
        """
        for number in range(at.level if at else 0, len(self._levels)):
            at = self._level(number, at)
        assert at is not None  # a plan has at least one level
        done = _Meter(self._levels, at.level, at.used, at.spent)
        self._tell(replace(done.progress(), fraction=1.0), at, at.iterate.point)
        return at.iterate.picture, "plateau" if at.plateau(self._tolerance) else "limit"

    def _level(self, number: int, at: Standing | None) -> Standing:
        """Take one level to its end."""
        level = self._levels[number]
        objective = self._problem.objective(level)
        spent = at.spent + (at.used if at.level < number else 0) if at else 0
        used = at.used if at and at.level == number else 0
        meter = _Meter(self._levels, number, used, spent)

        def evaluate(x: Tensor) -> Point:
            point = objective(x)
            meter.used += 1
            self._tell(meter.progress(), at, point)
            return point

        if at is None or at.level < number:
            iterate = self._enter(level, at, evaluate)
            at = Standing(iterate, number, meter.used, spent, (iterate.point.loss,))
        while at.used < level.evaluations and not at.plateau(self._tolerance):
            moved = self._step(at.iterate, evaluate, level.evaluations - at.used)
            at = at.moved(moved, meter.used) if moved else replace(at, stuck=True)
        return at

    def _enter(self, level: Level, before: Standing | None, evaluate: Evaluate) -> Iterate:
        """Begin a level at the picture of the one before."""
        coarser = (self._levels[before.level], before.iterate.picture) if before else None
        try:
            return self._start(self._problem.begin(level, coarser), evaluate)
        except FloatingPointError:
            raise _diverged() from None

    def _step(self, iterate: Iterate, evaluate: Evaluate, budget: int) -> Iterate | None:
        """One step; where it meets NaN, back to `iterate` and on with smaller steps."""
        for _ in range(RETRIES):
            try:
                return iterate.step(evaluate, budget)
            except FloatingPointError:
                iterate = iterate.gentler()
        raise _diverged()

    def _tell(self, progress: Progress, at: Standing | None, point: Point) -> None:
        """Report, with the last finished step's losses and picture: a search's probes jump."""
        begun = at is not None and at.level == progress.level - 1
        shown = at.iterate.point if at and begun else point
        picture = at.iterate.picture if at else point.picture
        self._report(
            replace(
                progress,
                losses=shown.terms if shown.finite else {},
                state=(lambda: self._save(at)) if at else None,
                picture=lambda: to_pixels(picture),
            )
        )


@dataclass
class _Meter:
    """Counts the evaluations of a level, and says how far the whole run is."""

    levels: Sequence[Level]
    number: int
    used: int
    spent: int

    def progress(self) -> Progress:
        """Steps and the share of the work done; a step's work is its level's pixels."""
        total = sum(level.cost for level in self.levels)
        level = self.levels[self.number]
        share = min(self.used / level.evaluations, 1.0)
        done = sum(level.cost for level in self.levels[: self.number]) + share * level.cost
        return Progress(
            step=self.spent + self.used,
            steps=sum(level.evaluations for level in self.levels),
            fraction=done / total,
            level=self.number + 1,
            levels=len(self.levels),
        )


def _diverged() -> BackendError:
    return BackendError(
        "diverged",
        "the optimisation met NaN or infinity and smaller steps did not help",
        "lower content_weight, style_weight or learning_rate, or look at the pictures",
    )
