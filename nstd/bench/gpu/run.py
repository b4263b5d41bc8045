"""`nstd bench gpu`: each step in a process of its own, within its limit; a line for each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from nstd.bench.gpu.finding import Finding
from nstd.bench.gpu.plan import STEPS, GpuSetup, GpuStep
from nstd.system.child import import_path, python_module

WHOLE = 600.0
"""Seconds of all steps together, at most."""
_LAST = 500  # characters of what a process said before it ended
_LAST_WAIT = 5.0  # seconds: the kernel may still wait for the device


def measure_gpu(
    setup: GpuSetup,
    out: Path,
    steps: Sequence[GpuStep] = STEPS,
    seconds: float = WHOLE,
) -> Iterator[tuple[GpuStep, Finding]]:
    """Run the steps in order, and yield each with its finding.

    Each is at once added to two files: `out`.jsonl as a line of JSON, `out`.txt as a line of text.
    """
    end = time.monotonic() + seconds
    for step in steps:
        began = time.monotonic()
        limit = min(step.limit, end - began)
        if limit > 0:
            finding = _run(step, setup, limit)
        else:
            finding = Finding("left", f"the time is over; later: `--only {step.name}`")
        took = round(time.monotonic() - began, 1)
        _add(out.with_suffix(".txt"), line_of(step, finding))
        said = {"step": step.name, "device": setup.device, "seconds": took}
        _add(out.with_suffix(".jsonl"), json.dumps(said | asdict(finding)))
        yield step, finding


def line_of(step: GpuStep, finding: Finding) -> str:
    """A step and its finding as a line of text."""
    return f"{step.name:9} {finding.state:6} {step.about}: {finding.text}"


def _add(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def _run(step: GpuStep, setup: GpuSetup, limit: float) -> Finding:
    """The finding of a process, which is killed after `limit` seconds with all that it started."""
    command = python_module("nstd.bench.gpu.step", step.run, json.dumps(asdict(setup)))
    process = subprocess.Popen(
        command,
        env=os.environ | import_path(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        printed, complaints = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return Finding("late", f"not done within {limit:.3g} s")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_LAST_WAIT)
    try:
        return Finding(**json.loads(printed.splitlines()[-1]))
    except (IndexError, TypeError, ValueError):
        last = " ".join(complaints[-_LAST:].split())
        return Finding("failed", f"its process ended with status {process.returncode}: {last}")


def has_problem(findings: Sequence[Finding]) -> bool:
    """Whether any step was not measured, or found what should not be."""
    return any(finding.state not in {"good", "told"} for finding in findings)
