"""Steps about whole pictures: their share of the best convolution, by slots, and large ones."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

from nstd.backend import Progress, Task
from nstd.backends.gatys import Gatys, Options
from nstd.backends.gatys.footprint import admitted
from nstd.backends.gatys.precision import precision_for
from nstd.backends.gatys.pyramid import levels_of
from nstd.bench.gpu.finding import Finding
from nstd.bench.gpu.parts import best_gflops, full_size, seconds_of, task_of
from nstd.bench.gpu.plan import GpuSetup
from nstd.bench.speed.batch import batch
from nstd.documents.config import Config
from nstd.system import reservations


@dataclass(frozen=True)
class Run:
    """Seconds of a whole picture, and its evaluations by level."""

    seconds: float
    evaluations: dict[int, int]


def share(setup: GpuSetup) -> Finding:
    """The work of whole runs in a second, beside that of the best convolution.

    The work is that of matrices and convolutions; of pictures in tiles, without the margins.
    """
    kind = precision_for(setup.device)
    best = best_gflops(setup.device, kind, setup.sizes.repeats)
    figures: dict[str, Any] = {"best_gflops": best, "precision": kind}
    told = []
    for network in setup.networks:
        options = Options(network=network, preset=setup.sizes.preset, steps=setup.sizes.steps)
        each_pixel = _work(task_of(setup, options, setup.sizes.evaluation[0]))
        for size in setup.sizes.whole:
            task = task_of(setup, options, size)
            run = _run(setup, task)
            reached = each_pixel * _seen(task, run) / run.seconds / 1e9
            figures[f"{network} {size}"] = {
                "seconds": run.seconds,
                "evaluations": sum(run.evaluations.values()),
                "gflops": reached,
                "share": reached / best,
            }
            told.append(f"{network} {size} px {run.seconds:.2f} s ({reached / best:.0%})")
    text = f"seconds and share of {best / 1e3:.3g} TFLOP/s in {kind}: {', '.join(told)}"
    return Finding("told", text, figures)


def _work(task: Task) -> float:
    """The floating-point work of an evaluation, per pixel of the picture."""
    objective, picture = full_size(task)
    with FlopCounterMode(display=False) as counter:
        objective(picture)
    return float(counter.get_total_flops()) / (picture.shape[2] * picture.shape[3])


def _run(setup: GpuSetup, task: Task) -> Run:
    """A run by a backend whose network is loaded."""
    backend, last = Gatys(), dict[int, int]()

    def report(progress: Progress) -> None:
        if not progress.note:
            last[progress.level] = progress.step

    backend.run(task_of(setup, task.options, 64), lambda _: None)
    began = time.perf_counter()
    backend.run(task, report)
    seconds = time.perf_counter() - began
    ends = [0, *last.values()]
    return Run(seconds, {n: ends[i + 1] - ends[i] for i, n in enumerate(last)})


def _seen(task: Task, run: Run) -> float:
    """Pixels that the evaluations of a run have seen, all together."""
    levels = levels_of(task.options, *task.content.shape[:2])
    return sum(levels[n - 1].pixels * count for n, count in run.evaluations.items())


def slots(setup: GpuSetup) -> Finding:
    """Pictures per hour through the daemon, with so many slots on the device."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in setup.sizes.slots:
            config = Config.at(Path(folder), devices=(setup.device,), slots={setup.device: count})
            found = batch(config, setup.sizes.jobs, Path(folder))
            figures[str(count)] = found["pictures_per_hour"]
    told = ", ".join(f"{n}: {each:.0f}" for n, each in figures.items())
    return Finding("told", f"drafts of 256 px per hour, by slots: {told}", figures)


def large(setup: GpuSetup) -> Finding:
    """Seconds of an evaluation of a large picture, and, extrapolated, of a whole one."""
    figures: dict[str, Any] = {}
    told = []
    for network in setup.networks[:1]:
        options = Options(network=network, preset=setup.sizes.preset)
        task = admitted(task_of(setup, options, setup.sizes.large))
        try:
            objective, picture = full_size(task)
            seconds = seconds_of(partial(objective, picture), setup.device, 2)
        finally:
            reservations.release()
        levels = levels_of(options, *task.content.shape[:2])
        whole = seconds * sum(level.cost for level in levels) / levels[-1].pixels
        tile = task.options.tile_side(*task.content.shape[:2])
        figures[network] = {"evaluation": seconds, "extrapolated": whole, "tile": tile}
        told.append(
            f"{network} {setup.sizes.large} px {seconds:.2f} s an evaluation, {whole / 60:.1f} min"
            " for a picture (extrapolated from a few evaluations)"
        )
    return Finding("told", "; ".join(told), figures)
