"""Steps that tell whether the device computes right."""

from __future__ import annotations

import time

from torch import Tensor

from nstd.backends.gatys import Options
from nstd.backends.gatys.device_check import MOST_ERROR, relative_error, require_right
from nstd.backends.gatys.device_trial import look
from nstd.bench.gpu.finding import Finding, judged
from nstd.bench.gpu.parts import full_size, task_of
from nstd.bench.gpu.plan import GpuSetup


def agree(setup: GpuSetup) -> Finding:
    """The error of the small check beside float64, and that of whole losses beside the CPU's.

    Both in float32 on the CPU and in the precision of jobs on the device.
    """
    errors = {"float64": relative_error(setup.device)}
    for network in setup.networks:
        exact, slope = _evaluate(setup, network, "cpu", "float32")
        for precision in ("float32", "auto"):
            loss, gradient = _evaluate(setup, network, setup.device, precision)
            along = float((gradient * slope).sum() / slope.square().sum())
            errors[f"{network} {precision}"] = max(abs(loss / exact - 1), abs(along - 1))
    told = ", ".join(f"{name} {error:.2g}" for name, error in errors.items())
    is_right = all(error < MOST_ERROR for error in errors.values())
    return judged(is_right, f"relative errors: {told}; right is below {MOST_ERROR:g}", errors)


def _evaluate(setup: GpuSetup, network: str, device: str, precision: str) -> tuple[float, Tensor]:
    """A loss and its gradient at the first size, as float64 on the CPU."""
    options = Options(network=network, precision=precision)
    objective, picture = full_size(task_of(setup, options, setup.sizes.evaluation[0], device))
    point = objective(picture)
    return point.loss, point.gradient.cpu().double()


def check(setup: GpuSetup) -> Finding:
    """What a worker does before its first job, and what `devices: auto` does at the start."""
    began = time.perf_counter()
    require_right(setup.device)
    seconds = time.perf_counter() - began
    found = look(setup.device)
    told = ", ".join(f"{name} {_short(value)}" for name, value in found.items())
    text = f"right, in {seconds:.1f} s; the trial of `devices: auto`: {told}"
    return judged("problem" not in found, text, {"check_seconds": seconds, **found})


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
