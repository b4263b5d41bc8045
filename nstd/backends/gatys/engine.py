"""Runs one job, from its task to its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from nstd.backend import Progress, Report, Result, Task
from nstd.backends.gatys import checkpoint, colors
from nstd.backends.gatys.adam import Adam
from nstd.backends.gatys.budget import Budget, Clock, Count
from nstd.backends.gatys.device_check import require_right
from nstd.backends.gatys.device_errors import device_fault, require_device
from nstd.backends.gatys.device_memory import (
    device_name,
    give_back_memory,
    memory_in_use,
    peak_memory,
    reset_peak_memory,
)
from nstd.backends.gatys.footprint import admitted, in_smaller_tiles, predicted_peak
from nstd.backends.gatys.iterate import Evaluate, Iterate
from nstd.backends.gatys.lbfgs import LBFGS
from nstd.backends.gatys.margins import without_margins
from nstd.backends.gatys.network_cache import Warm, network_for
from nstd.backends.gatys.network_protocol import Network
from nstd.backends.gatys.optimise import Descent, Standing
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.precision import precision_for
from nstd.backends.gatys.problem import StyleTransfer, TaskPictures
from nstd.backends.gatys.pyramid import Level, levels_of
from nstd.backends.gatys.resizing import resize
from nstd.backends.gatys.target_cache import TargetCache
from nstd.backends.gatys.temporal import PATIENCE, levels_after, options_after
from nstd.backends.gatys.tensors import to_pixels
from nstd.errors import BackendError
from nstd.system import reservations

now = time.perf_counter


def stylize(task: Task, report: Report, warm: Warm, began: float) -> Result:
    """Run `task`, which started at the time `began` of `time.perf_counter`.

    `warm` has the network of the last job, and then that of this one.
    """
    if task.options.strength == 0:
        return _untouched(task, report)
    if task.options.style_weight == 0:
        report(Progress(0, 1, 0.0, note="style_weight is 0: the style counts for nothing"))
    require_device(task.device)
    require_right(task.device)
    task, note = without_margins(task)
    if note:
        report(Progress(0, 1, 0.0, note=note))
    try:
        return _within_memory(task, report, warm, began)
    finally:
        reservations.release()


def _within_memory(task: Task, report: Report, warm: Warm, began: float) -> Result:
    """Run with smaller tiles if memory is short, and again with smaller ones if it still runs
    out."""
    given, task = task, admitted(task)
    if task is not given:
        note = f"memory is short: in tiles of {task.options.tile} pixels"
        report(Progress(0, 1, 0.0, note=note))
    made = _attempt(task, report, warm, began)
    if isinstance(made, BackendError) and made.code == "out_of_memory":
        smaller = in_smaller_tiles(task)
        if smaller is not None:
            side = smaller.options.tile
            report(Progress(0, 1, 0.0, note=f"out of memory: once more in tiles of {side} pixels"))
            made = _attempt(smaller, report, warm, began)
    if isinstance(made, BackendError):
        raise made
    return made


def _attempt(task: Task, report: Report, warm: Warm, began: float) -> Result | BackendError:
    """The result, or the error of the device."""
    try:
        return _stylize(task, report, warm, began)
    except (RuntimeError, MemoryError) as error:
        fault = device_fault(error, task.device)
        if fault is None:
            raise
    # Outside the except block, so that no traceback keeps the tensors alive.
    give_back_memory(task.device)
    return fault


def _untouched(task: Task, report: Report) -> Result:
    """The content itself: the result of a transfer with strength 0."""
    report(Progress(step=1, steps=1, fraction=1.0))
    return Result(pixels=task.content.copy(), seed=task.options.seed)


def _stylize(task: Task, report: Report, warm: Warm, began: float) -> Result:
    options: Options = task.options
    if task.device != "cpu":
        reset_peak_memory(task.device)
    mark = checkpoint.fingerprint(task)
    saved = checkpoint.load(task.state, mark, task.device)
    earlier: float = saved["seconds"] if saved else 0.0
    pictures = TaskPictures(colors.before(task))
    finish = colors.after(task)
    loading = now()
    network = network_for(task, saved["network"] if saved else None, warm)
    ready = now()

    def elapsed() -> float:
        return earlier + now() - began

    def save(at: Standing) -> bytes:
        state = {"network": network.state(), "standing": at.state(), "seconds": elapsed()}
        return checkpoint.dump(state, mark)

    levels = levels_of(options, *task.content.shape[:2])
    if task.earlier:
        levels, options = levels_after(levels, task), options_after(options)
    descent = Descent(
        problem=StyleTransfer(network, pictures, options, TargetCache.of(task, network)),
        levels=levels,
        budget=_budget(levels, options, elapsed),
        start=_start(options),
        tolerance=options.tolerance,
        patience=PATIENCE[options.optimizer_used] if task.earlier else None,
        report=measured(report, task.device),
        save=save,
        show=lambda picture: finish(to_pixels(picture)),
    )
    picture, stopped = descent.run(_resumed(saved, options))
    return Result(
        pixels=finish(to_pixels(_asked_size(picture, task))),
        network=_used(network, task, levels[-1]),
        seed=options.seed,
        seconds={"network": ready - loading, "optimise": now() - ready},
        stopped=stopped,
        **_memory(task),
    )


def _asked_size(picture: Tensor, task: Task) -> Tensor:
    """A picture, which may be larger with supersampling, at the size of the content."""
    height, width, _ = task.content.shape
    return resize(picture, height, width).clamp(0, 1)


def _used(network: Network, task: Task, finest: Level) -> dict[str, Any]:
    """The facts about the network and its precision for the record."""
    made_from = {"source_sha256": network.source} if network.source else {}
    return {
        "name": network.name,
        "sha256": network.sha256,
        **made_from,
        "precision": precision_for(task.device, task.options.precision),
        "tile": task.options.tile_side(finest.height, finest.width),
    }


def _memory(task: Task) -> dict[str, Any]:
    """The facts about memory and the accelerator, if any, for the result."""
    facts: dict[str, Any] = {"predicted_memory": predicted_peak(task)}
    if task.device != "cpu":
        facts["device_name"] = device_name(task.device)
        facts["device_memory"] = peak_memory(task.device)
    return facts


def measured(report: Report, device: str) -> Report:
    """`report`, with the memory in use of the accelerator, if any, added to each progress."""
    if device == "cpu":
        return report
    held = partial(memory_in_use, device)
    return lambda progress: report(replace(progress, device_memory=held))


def _budget(levels: Sequence[Level], options: Options, elapsed: Callable[[], float]) -> Budget:
    """The budget of the descent: evaluations or time."""
    return Count(levels) if options.budget is None else Clock(levels, options.budget, elapsed)


def _start(options: Options) -> Callable[[Tensor, Evaluate], Iterate]:
    """The function that makes the first iterate."""
    if options.optimizer_used == "adam":
        return partial(Adam.start, rate=options.learning_rate)
    return LBFGS.start


def _resumed(saved: dict[str, Any] | None, options: Options) -> Standing | None:
    return Standing.restore(saved["standing"], options.optimizer_used) if saved else None
