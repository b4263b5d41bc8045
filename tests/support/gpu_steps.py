"""Steps for `nstd bench gpu` that do little; their processes do not import torch."""

from __future__ import annotations

import time

from nstd.bench.gpu.finding import Finding
from nstd.bench.gpu.plan import GpuSetup, GpuStep


def good(_: GpuSetup) -> Finding:
    """A step that finds something at once."""
    return Finding("good", "all is well", {"answer": 42})


def hang(_: GpuSetup) -> Finding:
    """A step that never ends."""
    time.sleep(600)
    return Finding("good", "")


def die(_: GpuSetup) -> Finding:
    """A step that takes its process with it."""
    raise SystemExit("the driver has gone")


def step(name: str, function: str, limit: float = 200.0) -> GpuStep:
    """A step that runs a function of this module."""
    return GpuStep(name, f"the step {name}", limit, f"{__name__}:{function}")
