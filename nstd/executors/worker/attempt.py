"""One attempt of one job, inside a worker: decode, run the backend, save the picture."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from nstd import __version__
from nstd.backend import Backend, Interrupted, Progress, Result, Task
from nstd.errors import BackendError, clean
from nstd.executors.contract import Assignment
from nstd.executors.worker import provenance
from nstd.executors.worker.checks import check_preview, check_progress, check_result
from nstd.executors.worker.eta import Eta
from nstd.executors.worker.failures import as_failure
from nstd.executors.worker.inputs import Decoder, describe_pictures, seen
from nstd.executors.worker.thumbnails import Thumbnails
from nstd.images import Picture, encode_image, off_white, save_preview
from nstd.queue.job import Ending, Outcome
from nstd.queue.paths import JobPaths
from nstd.queue.progress import Report
from nstd.queue.result import PictureFacts, WorkerResult
from nstd.system import proc
from nstd.system.disk_cache import DiskCache
from nstd.system.durable import Files

if TYPE_CHECKING:
    from nstd.backend import Pixels

REPORT_EVERY = 1.0
PREVIEW_EVERY = 5.0
_LOSSES_KEPT = 500
DISK_BYTES = 64
"""Bytes that an attempt is predicted to write to disk, per pixel of the result: two checkpoints
with the state of an optimiser, the picture and its previews."""
_NOTES_KEPT = 100


class Attempt:
    """Runs an assignment to its outcome; all its files are in the job's folder."""

    def __init__(
        self,
        assignment: Assignment,
        files: Files,
        report: Callable[[Report], None],
        end_request: Callable[[], str | None],
    ) -> None:
        self._a, self._job, self._files = assignment, assignment.job, files
        self._paths = JobPaths(assignment.folder)
        self._send, self._end_request = report, end_request
        self._views = Thumbnails(self._paths, files, self._note_error)
        self._began = time.monotonic()
        self._due = {"report": 0.0, "preview": PREVIEW_EVERY, "checkpoint": assignment.checkpoint}
        self._losses: list[dict[str, float]] = []
        self._step, self._has_noted_error = 0, False
        self._notes: list[str] = []
        self._new_notes: tuple[str, ...] = ()  # notes about pictures, for the next report
        self._seconds: dict[str, float] = {}
        self._last = Progress(step=0, steps=0, fraction=0.0)
        self._eta = Eta()
        self._had_room = False
        self._is_in_backend = False
        self._write_error: OSError | None = None  # of a file that we write for the backend
        self._ending: Ending | None = None  # how the daemon has asked it to end

    def run(self, load: Callable[[str], Backend]) -> Outcome:
        """Run the attempt. Every error becomes an outcome; only the death of the process does
        not."""
        job = self._job.id
        try:
            self._work(load(self._job.backend))
        except BaseException as error:  # a backend may even call sys.exit
            if self._ending is not None and _is_interruption(error):
                return Outcome(job=job, ending=self._ending)
            return self._failed(error)
        finally:
            if self._new_notes:
                self._send_note()
        return Outcome(job=job, ending=Ending.FINISHED)

    def _failed(self, error: BaseException) -> Outcome:
        failure = as_failure(error, self._job.backend, is_ours=not self._is_of_backend(error))
        full_path = ""
        if isinstance(error, OSError) and failure.code == "disk_full":
            full_path = clean(error.filename or self._paths.folder)
        return Outcome(
            job=self._job.id,
            ending=Ending.FAILED,
            failure=failure,
            device_fault=failure.code == "device_failed",
            full_path=full_path,
            had_room=bool(full_path) and self._had_room,
        )

    def _is_of_backend(self, error: BaseException) -> bool:
        """Whether the error is the backend's own, and not of a file that we write for it."""
        return self._is_in_backend and error is not self._write_error

    def _work(self, backend: Backend) -> None:
        proc.reset_peak()
        options = self._options(backend)
        given = self._timed("decode", Decoder(self._a).decode)
        content = given.content
        self._notes, self._new_notes = [*given.notes], given.notes
        task = Task(
            content=seen(content),
            styles=given.styles,
            init=given.init,
            series=given.series,
            options=options,
            device=self._a.torch_device,
            weights=self._a.weights,
            state=self._state(),
            cache=self._cache(),
        )
        if self._a.views:
            self._timed("views", lambda: self._views.of_inputs(task))
        free = shutil.disk_usage(self._paths.folder).free
        self._had_room = free >= DISK_BYTES * content.pixels.shape[0] * content.pixels.shape[1]
        self._is_in_backend = True
        result = self._timed("backend", lambda: backend.run(task, self.report))
        self._is_in_backend = False
        check_result(result, content.pixels.shape, self._job.backend)
        picture = self._timed("encode", lambda: self._encode(result, content))
        if self._a.views:
            self._timed("views", lambda: self._views.of_result(result.pixels))
        self._finish(result, picture)

    def _options(self, backend: Backend) -> BaseModel:
        """The options. The daemon has accepted them; a backend may check them again in the
        worker."""
        try:
            return backend.Options.model_validate(self._job.options)
        except ValidationError as error:
            hint = "`nstd backends` lists what each backend takes"
            raise BackendError("options_invalid", str(error), hint) from None

    def _state(self) -> bytes | None:
        try:
            return self._paths.checkpoint.read_bytes()
        except FileNotFoundError:
            return None

    def _cache(self) -> DiskCache | None:
        a = self._a
        return None if a.cache is None else DiskCache(a.cache, a.cache_bytes, self._files)

    def report(self, progress: Progress) -> None:
        """The backend's callback: note the losses, write what is due, stop if asked to."""
        check_progress(progress, self._job.backend)
        now = time.monotonic() - self._began
        self._note(progress, now)
        if (request := self._end_request()) is not None:
            self._interrupt(request, progress)
        is_last = progress.step == progress.steps and progress.step != self._step
        self._step = int(progress.step)
        self._last = replace(progress, note="", state=None, picture=None)
        if self._is_due("report", now, REPORT_EVERY) or is_last or progress.note:
            self._send(self._report(progress, now))
        if progress.state and self._is_due("checkpoint", now, self._a.checkpoint):
            self._write(self._paths.checkpoint, progress.state())
        if progress.picture and self._is_due("preview", now, PREVIEW_EVERY):
            self._show(progress.picture())

    def _note_error(self, what: str) -> None:
        """Report, once, an error that does not stop the work."""
        if not self._has_noted_error:
            self._has_noted_error = True
            self._send_note(what)

    def _send_note(self, note: str = "") -> None:
        """Send a note for the user, with the last progress."""
        progress = replace(self._last, losses={}, note=note)
        self._send(self._report(progress, time.monotonic() - self._began))

    def _interrupt(self, request: str, progress: Progress) -> None:
        self._ending = Ending.STOPPED if request == "stop" else Ending.CANCELLED
        if request == "stop" and progress.state:
            self._write(self._paths.checkpoint, progress.state())
        raise Interrupted

    def _write(self, path: Path, data: bytes) -> None:
        """Write a file while the backend runs; an error is not the backend's."""
        try:
            self._files.write(path, data)
        except OSError as error:
            self._write_error = error
            raise

    def _show(self, pixels: Pixels) -> None:
        """Replace the preview; an error of the disk does not stop the job."""
        check_preview(pixels, self._job.backend)
        preview = save_preview(pixels)
        with suppress(OSError):
            self._files.write(self._paths.preview, preview, durable=False)

    def _is_due(self, what: str, now: float, every: float) -> bool:
        if now < self._due[what]:
            return False
        self._due[what] = now + every
        return True

    def _note(self, progress: Progress, now: float) -> None:
        if not (losses := _finite(progress.losses)):
            return
        point = {"step": int(progress.step), "level": int(progress.level), "seconds": round(now, 3)}
        self._losses.append(point | losses)
        if len(self._losses) > 2 * _LOSSES_KEPT:
            self._losses = self._losses[::2]

    def _report(self, progress: Progress, now: float) -> Report:
        fraction = min(1.0, max(0.0, float(progress.fraction)))
        eta = self._eta.seconds(now, fraction)
        new_notes, self._new_notes = self._new_notes, ()
        if progress.note and len(self._notes) < _NOTES_KEPT:
            self._notes.append(progress.note)
        return Report(
            job=self._job.id,
            step=int(progress.step),
            steps=int(progress.steps),
            level=int(progress.level),
            levels=int(progress.levels),
            fraction=round(fraction, 4),
            losses=_finite(progress.losses),
            elapsed=round(now, 1),
            eta=None if eta is None else round(eta, 1),
            note=clean(progress.note),
            picture_notes=new_notes,
            memory=(progress.device_memory or proc.resident)(),
        )

    def _encode(self, result: Result, content: Picture) -> PictureFacts:
        pixels, alpha = result.pixels, None
        if content.alpha is not None and self._job.format != "jpg":
            pixels, alpha = off_white(pixels, content.alpha)
        data = encode_image(
            pixels,
            alpha=alpha,
            format=self._job.format,
            recipe=self._recipe(result),
        )
        self._files.write(self._paths.picture(self._job), data)
        height, width = result.pixels.shape[:2]
        sha256 = hashlib.sha256(data).hexdigest()
        return PictureFacts(sha256=sha256, bytes=len(data), width=width, height=height)

    def _recipe(self, result: Result) -> str:
        job = self._job
        # in a sidecar, a default size larger than the content would ask to enlarge it
        is_reached = job.enlarge or max(result.pixels.shape[:2]) >= (job.size or 0)
        size = job.size if is_reached else None
        recipe = describe_pictures(job) | {
            "output": {"name": job.name, "size": size, "format": job.format},
            "backend": job.backend,
            "options": job.options,
            "network": dict(result.network or {}),
            "seed": result.seed,
            "software": f"nstd {__version__}",
            "job": job.id,
        }
        return json.dumps(recipe, default=_plain)

    def _finish(self, result: Result, picture: PictureFacts) -> None:
        """Write `result.json`: the last write of an attempt, which makes the job finished."""
        seconds = self._seconds | dict(result.seconds)
        seconds["total"] = time.monotonic() - self._began
        record = WorkerResult(
            picture=picture,
            network=None if result.network is None else _cleaned(result.network),
            seed=None if result.seed is None else int(result.seed),
            stopped=result.stopped,
            device=self._a.slot.rpartition("/")[0],
            slot=self._a.slot,
            device_name=provenance.device_name(result),
            steps=self._step,
            notes=tuple(self._notes),
            losses=tuple(self._losses),
            seconds={phase: round(float(value), 3) for phase, value in seconds.items()},
            peak_memory=provenance.peak_memory(result),
            versions=provenance.versions(),
        )
        facts = record.model_dump(mode="json", fallback=_plain)
        data = json.dumps(facts, allow_nan=False).encode()
        self._files.write(self._paths.result, data)

    def _timed(self, phase: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return work()
        finally:
            spent = time.monotonic() - began
            self._seconds[phase] = self._seconds.get(phase, 0.0) + spent


def _finite(losses: Mapping[str, float]) -> dict[str, float]:
    """The finite losses, rounded to six digits; JSON has no NaN."""
    return {
        clean(key): float(f"{value:.6g}") for key, value in losses.items() if math.isfinite(value)
    }


def _is_interruption(error: BaseException) -> bool:
    """Whether a backend let our interruption through, also in a group, as task groups make them."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(Interrupted) is not None
    return isinstance(error, Interrupted)


def _cleaned(network: Mapping[str, Any]) -> dict[str, Any]:
    """The facts about the network from the backend, with texts that UTF-8 can encode."""
    return {
        clean(key): clean(value) if isinstance(value, str) else value
        for key, value in network.items()
    }


def _plain(value: Any) -> Any:
    """`value` for JSON: numbers of numpy and torch as Python numbers, other objects as text."""
    return value.item() if hasattr(value, "item") else str(value)
