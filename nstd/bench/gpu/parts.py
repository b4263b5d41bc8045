"""What several steps need: tasks, objectives and seconds on the device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from nstd.backend import Style, Task
from nstd.backends.gatys import Options
from nstd.backends.gatys.iterate import Evaluate
from nstd.backends.gatys.network_cache import network_for
from nstd.backends.gatys.problem import StyleTransfer, TaskPictures
from nstd.backends.gatys.pyramid import Level
from nstd.bench.gpu.plan import GpuSetup
from nstd.bench.speed.ceiling import CHANNELS, SIDE
from nstd.bench.speed.pair import pictures

_IN_A_ROW = 20
"""Convolutions without a wait in between: one takes too short a time to be measured."""


def task_of(setup: GpuSetup, options: Options, size: int, device: str | None = None) -> Task:
    """The job of the sample pair with a longest side of `size` pixels."""
    content, style = pictures(size)
    styles = (Style(style),)
    return Task(content, styles, options, device or setup.device, Path(setup.weights))


def full_size(task: Task) -> tuple[Evaluate, Tensor]:
    """The loss of `task` at its full size, and the picture (1, 3, H, W) with which it begins."""
    height, width, _ = task.content.shape
    level = Level(height, width, 0)
    problem = StyleTransfer(network_for(task, None, {}), TaskPictures(task), task.options)
    return problem.objective(level), problem.begin(level, None)


def wait_for(device: str) -> None:
    """Wait until the device has done what it was asked for; the CPU always has."""
    if device != "cpu":
        torch.get_device_module(device).synchronize(device)


def seconds_of(act: Callable[[], object], device: str, repeats: int) -> float:
    """The median of the seconds of `act`, after two times that do not count."""
    found = [_seconds(act, device) for _ in range(2 + repeats)]
    return statistics.median(found[2:])


def _seconds(act: Callable[[], object], device: str) -> float:
    wait_for(device)
    began = time.perf_counter()
    act()
    wait_for(device)
    return time.perf_counter() - began


def best_gflops(device: str, precision: str, repeats: int) -> float:
    """GFLOP/s (10^9 operations per second) of 3x3 convolutions, channels last."""
    x, weight = (
        torch.randn(shape)
        .to(device, getattr(torch, precision))
        .contiguous(memory_format=torch.channels_last)
        for shape in ((1, CHANNELS, SIDE, SIDE), (CHANNELS, CHANNELS, 3, 3))
    )
    count = 1 if device == "cpu" else _IN_A_ROW

    def act() -> None:
        for _ in range(count):
            functional.conv2d(x, weight, padding=1)

    return count * 2 * 9 * CHANNELS**2 * SIDE**2 / seconds_of(act, device, repeats) / 1e9
