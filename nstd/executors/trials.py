"""Tries accelerators before `devices: auto` takes them: each in a process, as its worker sees it.

A device is taken if it computes right and faster than the CPU. A driver that hangs or crashes ends
its own process only.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from nstd.system.child import import_path, python_module

MODULE = "nstd.backends.gatys.device_trial"
_SECONDS = 100.0
"""For all trials together: the unit of the service allows 120 s for the start."""
_TAIL = 300

Environment = Callable[[str], Mapping[str, str]]
"""The variables of the worker of a device."""


@dataclass(frozen=True)
class DeviceTrial:
    """What was found about a device; `problem` is why it could not be tried."""

    device: str
    model: str = ""
    error: float | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    problem: str = ""

    @property
    def refused(self) -> str:
        """Why the device is not taken; an empty string if it is."""
        if self.problem or self.error is None or self.seconds is None:
            return self.problem or "it gave no figures"
        is_slow = self.cpu_seconds is not None and self.seconds >= self.cpu_seconds
        return "it is not faster than the CPU" if is_slow else ""

    def fields(self) -> dict[str, Any]:
        """The same for the log, without what is not known."""
        found: dict[str, Any] = {"model": self.model, "refused": self.refused}
        figures = {
            "error": self.error,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
        }
        found |= {name: f for name, f in figures.items() if f is not None and math.isfinite(f)}
        return {"device": self.device} | {name: told for name, told in found.items() if told != ""}

    def describe(self) -> str:
        """The same for people, in one line."""
        said = f"{self.device} ({self.model})" if self.model else self.device
        figures = []
        if self.error is not None:
            figures.append(f"relative error {self.error:.2g}")
        if self.seconds is not None:
            figures.append(f"{self.seconds:.3g} s for an evaluation")
        if self.cpu_seconds is not None:
            figures.append(f"the CPU {self.cpu_seconds:.3g} s")
        said += f" is not taken: {self.refused}" if self.refused else " is taken"
        return f"{said} ({', '.join(figures)})" if figures else said


def try_devices(devices: Sequence[str], environment: Environment) -> list[DeviceTrial]:
    """Try the CPU, and then all `devices` at the same time; as many trials, in their order."""
    if not devices:
        return []
    deadline = time.monotonic() + _SECONDS
    on_cpu = _ask("cpu", environment("cpu"), deadline)

    def ask(device: str) -> DeviceTrial:
        found = _ask(device, environment(device), deadline)
        figures = {k: v for k, v in found.items() if k in {"model", "error", "seconds", "problem"}}
        return DeviceTrial(device, cpu_seconds=on_cpu.get("seconds"), **figures)

    with ThreadPoolExecutor(max_workers=len(devices)) as pool:
        return list(pool.map(ask, devices))


def _ask(device: str, environment: Mapping[str, str], deadline: float) -> dict[str, Any]:
    """What the trial's process prints, or why it printed nothing."""
    seen_as = device if device == "cpu" else f"{device.partition(':')[0]}:0"
    try:
        child = subprocess.run(
            python_module(MODULE, seen_as),
            env={**os.environ, **environment, **import_path()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=max(0.0, deadline - time.monotonic()),
            check=False,
        )
        found = json.loads(child.stdout.splitlines()[-1]) if child.returncode == 0 else None
    except subprocess.TimeoutExpired:
        return {"problem": f"no answer in {_SECONDS:g} s"}
    except (OSError, ValueError, IndexError) as error:
        return {"problem": f"its trial failed: {error}"}
    if isinstance(found, dict):
        return found
    last = (child.stderr.strip().splitlines() or [""])[-1][-_TAIL:]
    ending = f"signal {-child.returncode}" if child.returncode < 0 else f"{child.returncode}"
    return {"problem": f"its trial ended with {ending}{': ' * bool(last)}{last}"}
