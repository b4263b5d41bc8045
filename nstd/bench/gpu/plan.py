"""The steps of `nstd bench gpu`, and what each of them is given. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sizes:
    """Longest sides in pixels, and counts; `steps` of a picture instead of the preset's."""

    evaluation: tuple[int, ...] = (512, 1024)
    whole: tuple[int, ...] = (512, 2048)
    memory: tuple[int, ...] = (512, 1024, 2048)
    large: int = 8192
    slots: tuple[int, ...] = (1, 2, 4)
    jobs: int = 24
    repeats: int = 10
    preset: str = "normal"
    steps: int | None = None
    compiler: str = "inductor"


SMALL = Sizes(
    evaluation=(64,),
    whole=(64,),
    memory=(64, 96),
    large=192,
    slots=(1,),
    jobs=2,
    repeats=1,
    preset="draft",
    steps=4,
    compiler="eager",
)
"""Sizes with which each step takes seconds on a CPU: to try the steps, not to measure."""


@dataclass(frozen=True)
class GpuSetup:
    """The device, the networks by name, and the folder with their weights."""

    device: str
    networks: tuple[str, ...]
    weights: str
    sizes: Sizes = field(default_factory=Sizes)


@dataclass(frozen=True)
class GpuStep:
    """A step: `limit` is in seconds, with the start of its process; `run` is `module:function`."""

    name: str
    about: str
    limit: float
    run: str


_HERE = "nstd.bench.gpu"
STEPS = (
    GpuStep("agree", "results agree with the CPU's", 50, f"{_HERE}.correctness:agree"),
    GpuStep("check", "the check before a worker's first job", 25, f"{_HERE}.correctness:check"),
    GpuStep("precision", "bfloat16 against float32", 60, f"{_HERE}.evaluations:precision"),
    GpuStep("syncs", "waits of the host in an evaluation", 25, f"{_HERE}.evaluations:syncs"),
    GpuStep("graphs", "CUDA graphs and torch.compile", 90, f"{_HERE}.graphs:graphs"),
    GpuStep("share", "the share of the best convolution", 110, f"{_HERE}.whole:share"),
    GpuStep("slots", "pictures per hour by slots", 110, f"{_HERE}.whole:slots"),
    GpuStep("oom", "memory that runs out in a job", 35, f"{_HERE}.memory:oom"),
    GpuStep("memory", "memory predicted and measured", 35, f"{_HERE}.memory:memory"),
    GpuStep("large", "8192 pixels, extrapolated", 60, f"{_HERE}.whole:large"),
)
"""In the order of their value; together at most ten minutes."""
