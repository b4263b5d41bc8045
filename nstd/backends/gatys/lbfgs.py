"""L-BFGS with a strong-Wolfe line search (Nocedal 1980; Nocedal, Wright 2006, chapter 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from nstd.backends.gatys.iterate import Evaluate, Iterate, Point, require_finite
from nstd.backends.gatys.wolfe import Trial, strong_wolfe

HISTORY = 10  # pairs that are kept; twice as many do not improve the result
LEAST = 3  # pairs that are kept for the largest pictures
MEMORY = 2 << 30  # most bytes of pairs, if there are more than LEAST
PROBES = 20  # the most evaluations of one line search
SAVED = 64 << 20  # most bytes of pairs in a checkpoint: enough for a picture of 512 px
ALIGNED = 1e-6  # least cosine between the two parts of a pair that is kept


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of two tensors of the same shape, as a scalar tensor."""
    return torch.dot(a.flatten(), b.flatten())


@dataclass(frozen=True)
class LBFGS(Iterate):
    """A point and the last moves that led to it.

    A pair has the change of the picture (s), the change of the gradient (y), and 1 / s.y. `reach`
    is the root mean square change of a pixel in the first step, before there are pairs.
    """

    patience: ClassVar[int] = 10

    pairs: tuple[tuple[Tensor, Tensor, Tensor], ...] = ()
    reach: float = 0.01

    @classmethod
    def start(cls, x: Tensor, evaluate: Evaluate) -> Self:
        """The first iterate, at `x`; one evaluation."""
        return cls(require_finite(evaluate(x)))

    def step(self, evaluate: Evaluate, budget: int) -> Self | None:
        """Search along the quasi-Newton direction; if that fails, drop the pairs."""
        direction = self.direction()
        slope = float(dot(direction, self.point.gradient))
        if slope >= 0:
            return self._fresh()
        found = self._search(evaluate, direction, slope, min(budget, PROBES))
        return self._fresh() if found is self.point else self._moved(found)

    def direction(self) -> Tensor:
        """Minus the estimated inverse Hessian times the gradient, by the two-loop recursion.

        Nocedal, Wright (2006), algorithm 7.4; the initial estimate is s.y / y.y of the last pair.
        """
        q = -self.point.gradient
        alphas: list[Tensor] = []
        for s, y, rho in reversed(self.pairs):
            alphas.append(rho * dot(s, q))
            q.addcmul_(y, alphas[-1], value=-1)
        if self.pairs:
            _, y, rho = self.pairs[-1]
            q /= rho * dot(y, y)
        for (s, y, rho), alpha in zip(self.pairs, reversed(alphas), strict=True):
            q.addcmul_(s, alpha - rho * dot(y, q))
        return q

    def gentler(self) -> Self:
        """The same point without pairs, and with a first step a tenth as long."""
        return replace(self, pairs=(), reach=self.reach / 10)

    def onward(self, x: Tensor, evaluate: Evaluate) -> Self:
        """The next level without pairs: the curvature of a coarser level says little about it."""
        return self.start(x, evaluate)

    def state(self) -> dict[str, Any]:
        """The iterate for a checkpoint, without large pairs.

        They are many times larger than the picture, and would be in memory twice and written with
        each checkpoint. A resumed descent has new pairs after some steps.
        """
        state = super().state()
        held = sum(s.nbytes + y.nbytes for s, y, _ in self.pairs)
        return state | {"pairs": ()} if held > SAVED else state

    def _search(self, evaluate: Evaluate, direction: Tensor, slope: float, budget: int) -> Point:
        def probe(length: float) -> Trial:
            point = evaluate(self.point.x + length * direction)
            return Trial(length, point, float(dot(direction, point.gradient)))

        first = 1.0
        if not self.pairs:
            first = self.reach / float(direction.square().mean().sqrt())
        return strong_wolfe(Trial(0.0, self.point, slope), first, probe, budget).point

    def _moved(self, point: Point) -> Self:
        s, y = point.x - self.point.x, point.gradient - self.point.gradient
        pairs = self.pairs
        curvature = dot(s, y)
        if float(curvature) > ALIGNED * float(s.norm() * y.norm()):
            pairs = (*pairs, (s, y, 1 / curvature))[-remembered(s.numel() * s.element_size()) :]
        return replace(self, point=point, pairs=pairs)

    def _fresh(self) -> Self | None:
        """The same point without pairs, for a try by steepest descent; None if it has no pairs."""
        return replace(self, pairs=()) if self.pairs else None


def remembered(size: int) -> int:
    """How many pairs are kept when a picture takes `size` bytes."""
    return min(HISTORY, max(LEAST, MEMORY // (2 * size)))
