"""One attempt of one job, inside a worker: decode, run the backend, save the picture."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from nstd.backend import Backend, Interrupted, Progress, Task
from nstd.documents.error_words import in_words
from nstd.documents.ramp import options_at, ramps_of
from nstd.errors import BackendError, clean
from nstd.executors.contract import Assignment
from nstd.executors.worker.checks import check_preview, check_result, check_state, checked
from nstd.executors.worker.failures import as_failure
from nstd.executors.worker.film_schedule import FilmSchedule
from nstd.executors.worker.inputs import Decoded, Decoder, flatten
from nstd.executors.worker.reporter import ProgressReporter
from nstd.executors.worker.result_writer import ResultWriter
from nstd.executors.worker.thumbnails import Thumbnails
from nstd.images.encode import save_preview
from nstd.queue.job import Ending, Outcome
from nstd.queue.paths import JobPaths
from nstd.queue.progress import Report
from nstd.system import proc
from nstd.system.disk_cache import DiskCache
from nstd.system.durable import Files

if TYPE_CHECKING:
    from nstd.backend import Pixels

REPORT_EVERY = 1.0
PREVIEW_EVERY = 5.0
DISK_BYTES = 64
"""Bytes that an attempt is predicted to write to disk, per pixel of the result: two checkpoints
with the state of an optimiser, the picture and its previews."""


class Attempt:
    """Runs an assignment to its outcome; all its files are in the job's folder."""

    def __init__(
        self,
        assignment: Assignment,
        files: Files,
        report: Callable[[Report], None],
        end_request: Callable[[], str | None],
    ) -> None:
        self._assignment, self._job, self._files = assignment, assignment.job, files
        self._paths = JobPaths(assignment.folder)
        self._reporter, self._end_request = ProgressReporter(self._job.id, report), end_request
        self._views = Thumbnails(self._paths, files, self._reporter.note_error)
        self._writer = ResultWriter(assignment, files)
        self._due = {"report": 0.0, "preview": PREVIEW_EVERY, "checkpoint": assignment.checkpoint}
        self._seconds: dict[str, float] = {}
        self._had_room = False
        self._is_in_backend = False
        self._write_error: OSError | None = None  # of a file that we write for the backend
        self._ending: Ending | None = None  # how the daemon has asked it to end

    def run(self, load: Callable[[str], Backend]) -> Outcome:
        """Run the attempt. Every error becomes an outcome; only the death of the process does
        not."""
        job = self._job.id
        try:
            self._backend = load(self._job.backend)
            self._work(self._backend)
        except BaseException as error:  # a backend may even call sys.exit
            if self._ending is not None and _is_interruption(error):
                return Outcome(job=job, ending=self._ending)
            return self._failed(error)
        finally:
            self._reporter.flush()
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
        given = self._timed("decode", Decoder(self._assignment).decode)
        content = given.content
        self._reporter.add_picture_notes(given.notes)
        task = self._task(given, options)
        if self._assignment.views:
            self._timed("views", lambda: self._views.of_inputs(task))
        free = shutil.disk_usage(self._paths.folder).free
        self._had_room = free >= DISK_BYTES * content.pixels.shape[0] * content.pixels.shape[1]
        self._is_in_backend = True
        result = self._timed("backend", lambda: backend.run(task, self.report))
        self._is_in_backend = False
        check_result(result, content.pixels.shape, self._job.backend)
        picture = self._timed("encode", lambda: self._writer.write_picture(result, content))
        if self._assignment.views:
            self._timed("views", lambda: self._views.of_result(result.pixels))
        seconds = self._seconds | dict(result.seconds) | {"total": self._reporter.elapsed}
        self._writer.write_result(result, picture, self._reporter, seconds)

    def _task(self, given: Decoded, options: BaseModel) -> Task:
        task = Task(
            content=flatten(given.content),
            styles=given.styles,
            init=given.init,
            series=given.series,
            options=options,
            device=self._assignment.torch_device,
            weights=self._assignment.weights,
            state=self._state(),
            cache=self._cache(),
        )
        return FilmSchedule(self._job).task_of(0, task)

    def _options(self, backend: Backend) -> BaseModel:
        """The options, which the daemon has accepted; the backend in the worker may refuse them.

        Of a ramp the first value: pictures of a recipe for films are made as its first frame is.
        """
        try:
            options = self._job.options
            return backend.Options.model_validate(options_at(options, ramps_of(options), 0.0))
        except ValidationError as error:
            hint = "`nstd backends` lists what each backend takes"
            raise BackendError("options_invalid", in_words(error), hint) from None

    def _state(self) -> bytes | None:
        try:
            return self._paths.checkpoint.read_bytes()
        except FileNotFoundError:
            return None

    def _cache(self) -> DiskCache | None:
        a = self._assignment
        return None if a.cache is None else DiskCache(a.cache, a.cache_bytes, self._files)

    def report(self, progress: Progress) -> None:
        """The backend's callback: note the losses, write what is due, stop if asked to."""
        progress = checked(progress, self._job.backend)
        now = self._reporter.elapsed
        self._reporter.keep_losses(progress)
        if (request := self._end_request()) is not None:
            self._interrupt(request, progress)
        is_last = self._reporter.keep(progress)
        if self._is_due("report", now, REPORT_EVERY) or is_last or progress.note:
            self._reporter.send(progress)
        if progress.state and self._is_due("checkpoint", now, self._assignment.checkpoint):
            self._save(progress.state)
        if progress.picture and self._is_due("preview", now, PREVIEW_EVERY):
            self._show(progress.picture())

    def _interrupt(self, request: str, progress: Progress) -> None:
        self._ending = Ending.STOPPED if request == "stop" else Ending.CANCELLED
        if request == "stop" and progress.state:
            self._save(progress.state)
        raise Interrupted

    def _save(self, state: Callable[[], bytes]) -> None:
        """Write a checkpoint."""
        self._write(self._paths.checkpoint, check_state(state(), self._job.backend))

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

    def _timed(self, phase: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return work()
        finally:
            spent = time.monotonic() - began
            self._seconds[phase] = self._seconds.get(phase, 0.0) + spent


def _is_interruption(error: BaseException) -> bool:
    """Whether a backend let our interruption through, also in a group, as task groups make them."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(Interrupted) is not None
    return isinstance(error, Interrupted)
