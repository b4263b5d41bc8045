"""The engine as a contestant: its parts, called step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from nstd.backend import Interrupted, Progress, Style, Task
from nstd.backends.gatys import Gatys, Options
from nstd.backends.gatys.budget import Count
from nstd.backends.gatys.iterate import Evaluate, Point
from nstd.backends.gatys.lbfgs import LBFGS
from nstd.backends.gatys.network_cache import network_for
from nstd.backends.gatys.optimise import Descent
from nstd.backends.gatys.precision import precision_for
from nstd.backends.gatys.problem import StyleTransfer, TaskPictures
from nstd.backends.gatys.pyramid import Level, sizes
from nstd.backends.gatys.tensors import to_pixels
from nstd.backends.weights_registry import RETRAINED
from nstd.bench.speed.pair import pictures
from nstd.bench.speed.profiled import profile
from nstd.bench.speed.setup import Setup

SAME = {"network": RETRAINED, "style_loss": "gram", "optimizer": "lbfgs", "tv_weight": 0.0}
"""Options with which the engine has the same loss as the plain loop."""
COARSE = 40  # evaluations on the coarsest level of a race
NEAR = 1.03  # the judge sees pictures whose own loss is below this factor times the aim
SURE = 0.97


class Engine:
    """The engine on the CPU."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._step: Callable[[], object] | None = None

    def about(self) -> dict[str, Any]:
        """The height and width of the picture, and the precision of the network."""
        content, _ = pictures(self._setup.size)
        return {"pixels": content.shape[:2], "precision": precision_for("cpu")}

    def evaluate(self, count: int) -> list[float]:
        """Seconds for each of about `count` evaluations at the full size, with their steps."""
        if self._step is None:
            self._step = self._begin()
        found: list[float] = []
        while len(found) < count:
            before, began = self._evaluations, time.perf_counter()
            self._step()
            done = self._evaluations - before
            found += [(time.perf_counter() - began) / done] * done
        return found

    def race(self, aim: float, steps: int, folder: str) -> list[dict[str, Any]]:
        """Run until the loss is `aim`; returns pictures that may have reached it, with their
        times."""
        found: list[dict[str, Any]] = []
        began = time.perf_counter()

        def report(progress: Progress) -> None:
            nonlocal began
            stopped = time.perf_counter()
            loss = progress.losses.get("total", float("inf"))
            if progress.level == progress.levels and loss < NEAR * aim:
                path = f"{folder}/{progress.step}.npy"
                assert progress.picture is not None
                np.save(path, progress.picture())
                found.append(
                    {"picture": path, "evaluations": progress.step, "seconds": stopped - began}
                )
                began += time.perf_counter() - stopped
                if loss < SURE * aim:
                    raise Interrupted

        options = Options(**SAME)
        height, width, _ = self._task(options).content.shape
        levels = _levels(height, width, steps)
        with suppress(Interrupted):
            Descent(
                problem=self._problem(options),
                levels=levels,
                budget=Count(levels),
                start=LBFGS.start,
                tolerance=0.0,
                report=report,
                save=lambda _: b"",
                show=to_pixels,
            ).run()
        return found

    def picture(self, network: str, preset: str) -> float:
        """Seconds of a whole run with a loaded network, as for the next job of a daemon."""
        backend, options = Gatys(), Options(network=network, preset=preset)
        backend.run(self._task(options, size=32), lambda _: None)
        began = time.perf_counter()
        backend.run(self._task(options), lambda _: None)
        return time.perf_counter() - began

    def whole(self, network: str) -> dict[str, Any]:
        """Seconds of a whole draft, and the predicted peak of memory."""
        began = time.perf_counter()
        made = Gatys().run(self._task(Options(network=network, preset="draft")), lambda _: None)
        return {"seconds": time.perf_counter() - began, "predicted": made.predicted_memory}

    def once(self, network: str) -> dict[str, Any]:
        """Seconds of one evaluation at the full size."""
        objective, picture = self._at_full_size(Options(network=network))
        began = time.perf_counter()
        objective(picture)
        return {"seconds": time.perf_counter() - began}

    def profile(self, network: str) -> dict[str, Any]:
        """Some steps at the full size with the network's defaults, operation by operation."""
        objective, picture = self._at_full_size(Options(network=network))
        return {"precision": precision_for("cpu")} | profile(objective, picture)

    def _task(self, options: Options, size: int | None = None) -> Task:
        content, style = pictures(size or self._setup.size)
        weights = Path(self._setup.weights).parent
        return Task(content, (Style(style),), options, "cpu", weights)

    def _problem(self, options: Options) -> StyleTransfer:
        """The problem with a new network, as for the first job of a worker."""
        task = self._task(options)
        network = network_for(task, None, {})
        return StyleTransfer(network, TaskPictures(task), options)

    def _at_full_size(self, options: Options) -> tuple[Evaluate, Tensor]:
        """The loss on the last level, and the start picture."""
        height, width, _ = self._task(options).content.shape
        level, problem = Level(height, width, 0), self._problem(options)
        return problem.objective(level), problem.begin(level, None)

    def _begin(self) -> Callable[[], object]:
        """Make the first evaluation at the full size; returns the function for the next step."""
        objective, picture = self._at_full_size(Options(**SAME))
        self._evaluations = 0

        def evaluate(x: Tensor) -> Point:
            self._evaluations += 1
            return objective(x)

        iterate = LBFGS.start(picture, evaluate)

        def step() -> None:
            nonlocal iterate
            iterate = iterate.step(evaluate, 20) or iterate

        return step


def _levels(height: int, width: int, steps: int) -> tuple[Level, ...]:
    """Few evaluations on the coarse levels of a race, and up to `steps` on the last."""
    coarse, last = sizes(height, width, 2)[:-1], (height, width)
    counts = [COARSE // 2**number for number in range(len(coarse))]
    begun = (Level(*size, max(10, count)) for size, count in zip(coarse, counts, strict=True))
    return (*begun, Level(*last, steps))
