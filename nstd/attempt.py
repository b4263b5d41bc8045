"""One attempt of one job, inside a worker: decode, run the backend, save the picture."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import platform
import resource
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nstd import __version__
from nstd.backend import Backend, Interrupted, Progress, Result, Style, Task
from nstd.errors import BackendError, NstdError, PictureError
from nstd.executor import Assignment, Report
from nstd.files import Files, is_full
from nstd.images import Picture, encode_image, load_image, save_preview
from nstd.job import Ending, Failure, Input, Outcome
from nstd.paths import JobPaths

REPORT_EVERY = 1.0
PREVIEW_EVERY = 5.0
_LOSSES_KEPT = 500


class Attempt:
    """Runs an assignment to its outcome; everything it makes lies in the job's folder."""

    def __init__(
        self,
        assignment: Assignment,
        files: Files,
        report: Callable[[Report], None],
        wanted: Callable[[], str | None],
    ) -> None:
        self._a, self._job, self._files = assignment, assignment.job, files
        self._paths = JobPaths(assignment.folder)
        self._send, self._wanted = report, wanted
        self._began = time.monotonic()
        self._due = {"report": 0.0, "preview": PREVIEW_EVERY, "checkpoint": assignment.checkpoint}
        self._losses: list[dict[str, float]] = []
        self._steps = 0
        self._seconds: dict[str, float] = {}
        self._first: tuple[float, float] | None = None  # when and at what fraction it (re)started

    def run(self, load: Callable[[str], Backend]) -> Outcome:
        """Do it all. Every error becomes an outcome; only the death of the process does not."""
        try:
            self._work(load(self._job.backend))
        except Interrupted:
            ending = Ending.STOPPED if self._wanted() == "stop" else Ending.CANCELLED
            return Outcome(job=self._job.id, ending=ending)
        except Exception as error:
            return self._failed(error)
        return Outcome(job=self._job.id, ending=Ending.FINISHED)

    def _failed(self, error: Exception) -> Outcome:
        failure, fault = _failure(error, self._job.backend), False
        if failure.code == "device_failed" or _poisons(error):
            fault = True
        return Outcome(job=self._job.id, ending=Ending.FAILED, failure=failure, device_fault=fault)

    def _work(self, backend: Backend) -> None:
        options = backend.Options.model_validate(self._job.options)
        content, styles = self._timed("decode", self._decode)
        task = Task(
            content=content.pixels,
            styles=styles,
            options=options,
            device=self._a.torch_device,
            weights=self._a.weights,
            state=self._state(),
        )
        result = self._timed("backend", lambda: backend.run(task, self.report))
        picture = self._timed("encode", lambda: self._encode(result, content))
        self._seconds |= result.seconds
        self._finish(result, picture)

    def _decode(self) -> tuple[Picture, tuple[Style, ...]]:
        """Decode every picture wholly before any work: a broken one fails the job here."""
        content, *others = (self._load(picture) for picture in self._job.inputs)
        styles = (
            Style(loaded.pixels, given.weight, given.scale)
            for loaded, given in zip(others, self._job.inputs[1:], strict=True)
        )
        return content, tuple(styles)

    def _load(self, picture: Input) -> Picture:
        size = self._job.size
        try:
            return load_image(
                self._paths.folder / picture.file,
                max_pixels=self._a.max_pixels,
                max_bytes=self._a.max_bytes,
                max_side=size and math.ceil(size * max(1.0, picture.scale)),
            )
        except PictureError as error:  # in the words of the sidecar, not of the job's folder
            message = error.message.replace(picture.file, picture.source)
            raise PictureError(error.code, message, error.hint) from None

    def _state(self) -> bytes | None:
        try:
            return self._paths.checkpoint.read_bytes()
        except FileNotFoundError:
            return None

    def report(self, progress: Progress) -> None:
        """The backend's callback: note the losses, do what is due, stop if that is wanted."""
        now = time.monotonic() - self._began
        self._steps = progress.step
        if progress.losses:
            self._note(progress, now)
        if self._wanted() is not None:
            if self._wanted() == "stop" and progress.state:
                self._files.write(self._paths.checkpoint, progress.state())
            raise Interrupted
        if self._is_due("report", now, REPORT_EVERY) or progress.step == progress.steps:
            self._send(self._report(progress, now))
        if progress.state and self._is_due("checkpoint", now, self._a.checkpoint):
            self._files.write(self._paths.checkpoint, progress.state())
        if progress.picture and self._is_due("preview", now, PREVIEW_EVERY):
            preview = save_preview(progress.picture())
            self._files.write(self._paths.preview, preview, durable=False)

    def _is_due(self, what: str, now: float, every: float) -> bool:
        if now < self._due[what]:
            return False
        self._due[what] = now + every
        return True

    def _note(self, progress: Progress, now: float) -> None:
        point = {"step": progress.step, "level": progress.level, "seconds": round(now, 3)}
        self._losses.append(point | {k: float(f"{v:.6g}") for k, v in progress.losses.items()})
        if len(self._losses) > 2 * _LOSSES_KEPT:
            self._losses = self._losses[::2]

    def _report(self, progress: Progress, now: float) -> Report:
        if self._first is None:
            self._first = (now, progress.fraction)
        since, at = self._first
        done = progress.fraction - at
        eta = (now - since) / done * (1 - progress.fraction) if done > 0 else None
        return Report(
            job=self._job.id,
            step=progress.step,
            steps=progress.steps,
            level=progress.level,
            levels=progress.levels,
            fraction=round(progress.fraction, 4),
            losses={key: float(f"{value:.5g}") for key, value in progress.losses.items()},
            elapsed=round(now, 1),
            eta=None if eta is None else round(eta, 1),
        )

    def _encode(self, result: Result, content: Picture) -> dict[str, Any]:
        data = encode_image(
            result.pixels,
            alpha=content.alpha,
            format=self._job.format,
            recipe=self._recipe(result),
        )
        self._files.write(self._paths.picture(self._job), data)
        height, width = result.pixels.shape[:2]
        sha256 = hashlib.sha256(data).hexdigest()
        return {"sha256": sha256, "bytes": len(data), "width": width, "height": height}

    def _recipe(self, result: Result) -> str:
        job = self._job
        styles = [
            {"image": style.source, "weight": style.weight, "scale": style.scale}
            for style in job.inputs[1:]
        ]
        recipe = {
            "content": job.inputs[0].source,
            "style": styles,
            "output": {"name": job.name, "size": job.size, "format": job.format},
            "backend": job.backend,
            "options": job.options,
            "network": dict(result.network or {}),
            "seed": result.seed,
            "software": f"nstd {__version__}",
            "job": job.id,
        }
        return json.dumps(recipe)

    def _finish(self, result: Result, picture: dict[str, Any]) -> None:
        """Leave `result.json`: the last write of an attempt, and the one that ends it."""
        self._seconds["total"] = time.monotonic() - self._began
        facts = {
            "picture": picture,
            "network": result.network and dict(result.network),
            "seed": result.seed,
            "stopped": result.stopped,
            "device": self._a.slot.rpartition("/")[0],
            "slot": self._a.slot,
            "device_name": result.device_name or _cpu_model(),
            "steps": self._steps,
            "losses": self._losses,
            "seconds": {phase: round(value, 3) for phase, value in self._seconds.items()},
            "peak_memory": _peak_memory(result),
            "versions": _versions(),
        }
        self._files.write(self._paths.result, json.dumps(facts, allow_nan=False).encode())

    def _timed(self, phase: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return work()
        finally:
            self._seconds[phase] = time.monotonic() - began


def _failure(error: Exception, backend: str) -> Failure:
    if isinstance(error, NstdError):
        return Failure.of(error)
    if isinstance(error, OSError):
        code = "disk_full" if is_full(error) else "io_error"
        return Failure(code=code, message=str(error), hint="see `nstd doctor`")
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        hint = "ask for a smaller output.size"
        return Failure(code="out_of_memory", message=str(error) or "out of memory", hint=hint)
    known = BackendError(
        "backend_failed",
        f"backend {backend!r} raised {type(error).__name__}: {error}",
        "the traceback is in `detail`; report it to whoever wrote the backend",
    )
    detail = "".join(traceback.format_exception(error))[-4000:]
    return Failure.of(known).model_copy(update={"detail": detail})


def _poisons(error: Exception) -> bool:
    """Whether the process cannot go on using its device: a CUDA context never recovers."""
    return "CUDA error" in str(error) or "device-side assert" in str(error)


def _peak_memory(result: Result) -> dict[str, int]:
    """Bytes: the highest resident size of this process so far, and of the accelerator."""
    peak = {"process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    if result.device_memory is not None:
        peak["device"] = result.device_memory
    return peak


def _cpu_model() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return platform.machine()


def _versions() -> dict[str, str]:
    versions = {"nstd": __version__, "python": platform.python_version()}
    for package in ("torch", "torchvision", "numpy", "pillow"):
        versions[package] = importlib.metadata.version(package)
    return versions
