"""Steps about memory: when it runs out in a job, and how well it is predicted."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from nstd.backend import Progress
from nstd.backends.gatys import Gatys, Options
from nstd.backends.gatys.device_memory import free_memory, give_back_memory
from nstd.bench.gpu.finding import Finding, judged
from nstd.bench.gpu.parts import task_of
from nstd.bench.gpu.plan import GpuSetup
from nstd.system import proc

WITHIN = 0.15
"""How far the measured memory may be from the predicted one, relative to the measured one."""
_TOO_MUCH = 1 << 60
"""Bytes that no machine has."""
_BLOCK = 1 << 20
_STEPS = 6  # evaluations of a job that runs out of memory: it does so at the second one


class Hog:
    """Takes all memory of the device when the job begins, until the engine says that it ran out."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._taken: list[Tensor] = []
        self._has_begun = False
        self.notes: list[str] = []

    def __call__(self, progress: Progress) -> None:
        """What the job reports its progress to."""
        if progress.note:
            self.notes.append(progress.note)
            if "out of memory" in progress.note:
                self._let_go()
        elif not self._has_begun:
            self._has_begun = True
            self._take()

    def _take(self) -> None:
        """Leave nothing for the engine's next tensor. The CPU is not filled: it fails here."""
        if self._device == "cpu":
            torch.empty(_TOO_MUCH, dtype=torch.uint8)
        size = free_memory(self._device)
        while size >= _BLOCK:
            with suppress(torch.OutOfMemoryError):
                self._taken.append(torch.empty(size, dtype=torch.uint8, device=self._device))
                continue
            size //= 2

    def _let_go(self) -> None:
        self._taken.clear()
        give_back_memory(self._device)


def oom(setup: GpuSetup) -> Finding:
    """A job whose device runs out of memory once it runs, and the job after it."""
    backend, hog = Gatys(), Hog(setup.device)
    options = Options(steps=_STEPS)
    task = task_of(setup, options, 2 * setup.sizes.evaluation[0])
    made = backend.run(task, hog)
    after = backend.run(task_of(setup, options, setup.sizes.evaluation[0]), lambda _: None)
    ran_out = any("out of memory" in note for note in hog.notes)
    is_whole = made.pixels.shape == task.content.shape and bool(after.pixels.size)
    text = (
        f"it ran out, and the job was made: {hog.notes[-1]}; so was the next one"
        if ran_out
        else "memory did not run out"
    )
    return judged(ran_out and is_whole, text, {"notes": hog.notes})


def memory(setup: GpuSetup) -> Finding:
    """Predicted and measured peaks of drafts: of the device, or else of this process."""
    figures: dict[str, Any] = {}
    for network in setup.networks:
        for size in setup.sizes.memory:
            options = Options(network=network, preset="draft", steps=setup.sizes.steps)
            task = task_of(setup, options, size)
            made = Gatys().run(task, lambda _: None)
            peak = made.device_memory or proc.peak()
            predicted = made.predicted_memory or 0
            figures[f"{network} {size}"] = {
                "predicted": predicted,
                "measured": peak,
                "error": predicted / peak - 1,
            }
    told = ", ".join(
        f"{name} px {each['predicted'] / 1e9:.2f} of {each['measured'] / 1e9:.2f} GB"
        f" ({each['error']:+.0%})"
        for name, each in figures.items()
    )
    is_near = all(abs(each["error"]) <= WITHIN for each in figures.values())
    return judged(is_near, f"predicted of measured: {told}; at most {WITHIN:.0%} off", figures)
