"""One job, from its task to its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nstd.backend import Report, Result, Task
from nstd.backends.gatys import checkpoint, networks
from nstd.backends.gatys.adam import Adam
from nstd.backends.gatys.faults import device_fault, require_device
from nstd.backends.gatys.iterate import Evaluate, Iterate
from nstd.backends.gatys.lbfgs import LBFGS
from nstd.backends.gatys.networks import Network, Request
from nstd.backends.gatys.optimise import Descent, Standing
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.problem import Pictures, StyleTransfer
from nstd.backends.gatys.pyramid import plan
from nstd.backends.gatys.tensors import to_pixels

Warm = dict[Any, Network]


def stylize(task: Task, report: Report, warm: Warm) -> Result:
    """Do `task`; `warm` holds the network that the last job left, and takes this one's."""
    require_device(task.device)
    try:
        return _stylize(task, report, warm)
    except (RuntimeError, MemoryError) as error:
        fault = device_fault(error, task.device)
        if fault is None:
            raise
    # Outside the except block, where no traceback keeps the tensors alive any more.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise fault


def _stylize(task: Task, report: Report, warm: Warm) -> Result:
    options: Options = task.options
    is_cpu = task.device == "cpu"
    if not is_cpu:
        torch.cuda.reset_peak_memory_stats(task.device)
    mark = checkpoint.fingerprint(task)
    saved = checkpoint.load(task.state, mark, task.device)
    began = time.perf_counter()
    pictures = Pictures(task)
    network = _network(task, pictures, saved, warm)
    ready = time.perf_counter()

    def save(at: Standing) -> bytes:
        return checkpoint.dump({"network": network.state(), "standing": at.state()}, mark)

    height, width = pictures.content.shape[2:]
    descent = Descent(
        problem=StyleTransfer(network, pictures, options),
        levels=plan(height, width, options.evaluations, options.steps),
        start=_start(options),
        tolerance=options.tolerance,
        report=report,
        save=save,
    )
    picture, stopped = descent.run(_resumed(saved, options))
    return Result(
        pixels=to_pixels(picture),
        network={"name": network.name, "sha256": network.sha256},
        seed=options.seed,
        seconds={"network": ready - began, "optimise": time.perf_counter() - ready},
        stopped=stopped,
        device_name=None if is_cpu else torch.cuda.get_device_name(task.device),
        device_memory=None if is_cpu else torch.cuda.max_memory_allocated(task.device),
    )


def _start(options: Options) -> Callable[[Tensor, Evaluate], Iterate]:
    """What makes the first iterate of a level."""
    if options.optimizer_used == "adam":
        return partial(Adam.start, rate=options.learning_rate)
    return LBFGS.start


def _resumed(saved: dict[str, Any] | None, options: Options) -> Standing | None:
    return Standing.restore(saved["standing"], options.optimizer_used) if saved else None


def _network(task: Task, pictures: Pictures, saved: dict[str, Any] | None, warm: Warm) -> Network:
    """The network of the job: kept from the last one where it may be, else loaded or fitted."""
    options: Options = task.options
    style_layers, content_layer = options.layers
    request = Request(
        name=options.network,
        pictures=pictures.all,
        layers=tuple(sorted({*style_layers, content_layer})),
        pooling=options.pooling,
        seed=options.seed,
        device=task.device,
        weights=task.weights,
        saved=saved["network"] if saved else None,
    )
    if not options.spec.warm:
        return networks.load(request)
    key = (request.name, request.layers, request.pooling, request.device, request.weights)
    if key not in warm:
        warm.clear()  # one at a time: two may not fit the device
        warm[key] = networks.load(request)
    return warm[key]
