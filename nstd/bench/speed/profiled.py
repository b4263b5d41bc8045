"""Some steps of a descent, operation by operation."""

from __future__ import annotations

import time
from typing import Any

from torch import Tensor

from nstd.backends.gatys.iterate import Evaluate, Point
from nstd.backends.gatys.lbfgs import LBFGS, PROBES
from nstd.bench.speed.roofline import parts_of
from nstd.bench.speed.traced import Tracer

STEPS = 3


class Counted:
    """Evaluations that are counted, and told apart from the optimiser for `tracer`."""

    def __init__(self, evaluate: Evaluate, tracer: Tracer) -> None:
        self._evaluate, self._tracer = evaluate, tracer
        self.count = 0

    def __call__(self, x: Tensor) -> Point:
        """The loss of `x` and its gradient."""
        self.count += 1
        self._tracer.in_evaluation = True
        try:
            return self._evaluate(x)
        finally:
            self._tracer.in_evaluation = False


def profile(evaluate: Evaluate, picture: Tensor, steps: int = STEPS) -> dict[str, Any]:
    """Some steps of L-BFGS from `picture` (1, 3, H, W), after as many that are only timed.

    Seconds are those of an evaluation, with its share of the optimiser.
    """
    tracer = Tracer()
    counted = Counted(evaluate, tracer)
    iterate = LBFGS.start(picture, counted)
    iterate = iterate.step(counted, PROBES) or iterate
    usual, iterate = _seconds(iterate, counted, steps)
    before = counted.count
    began = time.perf_counter()
    with tracer:
        for _ in range(steps):
            iterate = iterate.step(counted, PROBES) or iterate
    evaluations = counted.count - before
    height, width = picture.shape[2:]
    return {
        "pixels": [height, width],
        "steps": steps,
        "evaluations": evaluations,
        "seconds": usual,
        "traced_seconds": (time.perf_counter() - began) / evaluations,
        "parts": parts_of(tracer.operations, height, width, evaluations),
    }


def _seconds(iterate: LBFGS, evaluate: Counted, steps: int) -> tuple[float, LBFGS]:
    """Seconds of an evaluation in so many steps, and the iterate after them."""
    before, began = evaluate.count, time.perf_counter()
    for _ in range(steps):
        iterate = iterate.step(evaluate, PROBES) or iterate
    return (time.perf_counter() - began) / (evaluate.count - before), iterate
