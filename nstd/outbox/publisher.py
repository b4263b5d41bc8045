"""Publishes the jobs that have ended, logs each end once, and removes their folders.

Each step is repeated until it succeeds.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from structlog.contextvars import bound_contextvars

from nstd.documents.config import Config
from nstd.documents.error_words import in_words
from nstd.errors import printable
from nstd.logs.log import emit, keep_job_log
from nstd.logs.reader import has_ended
from nstd.logs.throttle import DiskErrors
from nstd.outbox.outbox import Outbox
from nstd.outbox.record import Record, hint_of, make_reason, make_record
from nstd.queue.ended import EndedJob, EndedJobs
from nstd.queue.job import Failure, Job
from nstd.queue.store import JobStore
from nstd.system.backoff import backoff
from nstd.system.primitives import is_full
from nstd.system.waits import USUAL, Waits

LONGEST = 60.0
"""Seconds, at most, before a publication that met a disk error is tried again."""
BUDGET = 0.5
"""Seconds that one turn of the loop spends here; the rest is done in the next turns."""
MANY = 3
"""When at least this many jobs cannot be published, the cause is not in the jobs."""
_FROM_RECORD = ("device", "steps", "peak_memory", "network", "stopped")
"""Fields that the log's line about the end of a job copies from the record."""


class Published(NamedTuple):
    """A published job; `is_new` unless an earlier run of the daemon has logged its end."""

    job: Job
    failure: Failure | None
    record: Path  # of the result, or the reason of a failure
    is_new: bool


class Publisher:
    """Publishes the jobs that have ended."""

    def __init__(
        self,
        store: JobStore,
        outbox: Outbox,
        ended: EndedJobs,
        logs: Path,
        disk_errors: DiskErrors,
        note_end: Callable[[Job, Failure | None], None],
        waits: Waits = USUAL,
    ) -> None:
        """`note_end` writes durably how a batch's member ended, before its folder is removed."""
        self._store, self._outbox, self._logs = store, outbox, logs
        self._ended, self._disk_errors, self._note_end = ended, disk_errors, note_end
        self._late: dict[str, EndedJob] = {}  # jobs whose publication met an error
        self._published: list[Published] = []
        self.finished = self.failed = self.cancelled = 0
        self._again = waits.publish

    def configure(self, config: Config) -> None:
        """Does nothing: no setting is used here."""

    def work(self, now: float) -> None:
        """Publish the jobs whose time has come; a job that meets an error does not delay the
        others."""
        until = time.monotonic() + BUDGET
        for pending in self._ended:
            if pending.due > now:
                continue
            if time.monotonic() > until:
                return
            with bound_contextvars(job=pending.job.id):
                self._process(pending, now)

    def _process(self, pending: EndedJob, now: float) -> None:
        try:
            self._publish(pending)
        except OSError as error:
            self._postpone(pending, error, now)
        except Exception as error:  # a bug, or an invalid result of a worker
            pending.due = now + LONGEST
            if pending.is_replaced:
                raise
            what = "result" if pending.failure is None else "reason"
            pending.failure, pending.due = _unpublishable(what, error), 0.0
            pending.is_replaced = True
        else:
            self._ended.remove(pending.job)
            self._late.pop(pending.job.id, None)
            for other in self._full():
                other.due = 0.0

    def _postpone(self, pending: EndedJob, error: OSError, now: float) -> None:
        self._disk_errors.log(error, pending.job.name, job=pending.job.id)
        pending.error = error
        self._late[pending.job.id] = pending
        pending.tries += 1
        pending.due = now + backoff(pending.tries, self._again, LONGEST)

    def _full(self) -> list[EndedJob]:
        """The jobs that cannot be published because a disk is full."""
        return [p for p in self._late.values() if p.error is not None and is_full(p.error)]

    def reason_to_pause(self) -> str:
        """Why no more jobs should be claimed, or an empty string."""
        errors = [pending.error for pending in self._late.values() if pending.error is not None]
        if self._full():
            return f"no space to publish what is done: {printable(self._outbox.path)}"
        if len(errors) < MANY:
            return ""
        path = printable(str(errors[-1].filename or self._outbox.path))
        return f"cannot publish: {path}: {errors[-1].strerror}"

    def _publish(self, pending: EndedJob) -> None:
        if not pending.is_logged:
            failure = self._read_failure(pending)
            if not self._outbox.has_published(pending.job):
                while not self._try(pending, failure):
                    pass
                is_new = True
            else:
                self._outbox.make_durable(pending.job)
                is_new = not has_ended(self._logs, pending.job.id)
            if is_new:
                self._log_end(pending.job, failure)
            self._count(pending, failure, is_new=is_new)
        self._note_end(pending.job, pending.logged)
        self._store.remove(pending.job)

    def _count(self, pending: EndedJob, failure: Failure | None, *, is_new: bool) -> None:
        pending.is_logged, pending.logged = True, failure
        record = self._outbox.record_of(pending.job)
        self._published.append(Published(pending.job, failure, record, is_new))
        if failure is None:
            self.finished += 1
        elif failure.code == "cancelled":
            self.cancelled += 1
        else:
            self.failed += 1

    def _read_failure(self, pending: EndedJob) -> Failure | None:
        """Why the job failed, written durably; None when it did not fail."""
        paths, failure = self._store.paths(pending.job.id), pending.failure
        wanted = (paths.result, paths.picture(pending.job))
        lost = [path.name for path in wanted if not path.exists()]
        if failure is None and lost and not paths.reason.exists():
            message = f"{' and '.join(lost)} went missing from {paths.folder}"
            failure = Failure(code="io_error", message=message, hint="run `nstd retry`")
        if failure is not None and (pending.is_replaced or not paths.reason.exists()):
            self._store.fail(pending.job, failure)
        return paths.read_failure()

    def _try(self, pending: EndedJob, failure: Failure | None) -> bool:
        """Fix a free name, then rename; False when something took the name in between."""
        target = self._outbox.free_target(
            pending.job, failed=failure is not None, is_wanted=self._ended.is_wanted
        )
        job = pending.job = self._store.save(pending.job.model_copy(update={"target": target}))
        paths = self._store.paths(job.id)
        if failure is None:
            return self._outbox.publish(job, paths, make_record(job, paths, time.time()))
        return self._outbox.publish_failure(job, paths, make_reason(job, failure, time.time()))

    def _log_end(self, job: Job, failure: Failure | None) -> None:
        """Log the end of the job durably before its folder is removed; also in its published
        log."""
        keep_job_log(job.id, self._outbox.log_of(job))
        line = {"name": job.name, "output": job.target, "backend": job.backend}
        if job.batch is not None:
            line["batch"] = job.batch.id
        if failure is None:
            summary = _summary(self._outbox.read_record(job))
            emit("job.finished", **line, **summary, attempt=job.attempt)
        else:
            words = {
                "code": failure.code,
                "message": failure.message,
                "hint": hint_of(job, failure),
            }
            where = {"device": failure.device} if failure.device else {}
            emit("job.failed", **line, **words, attempt=job.attempt, **where)
        keep_job_log(job.id, None)

    # What the loop needs to know

    def take(self) -> list[Published]:
        """The jobs that were published since the last call."""
        published, self._published = self._published, []
        return published

    @property
    def is_idle(self) -> bool:
        """Whether every job that has ended is published."""
        return not self._ended

    def next_event(self, _now: float) -> float:
        """When a publication is tried next."""
        return min((pending.due for pending in self._ended), default=float("inf"))

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()

    def close(self) -> None:
        """Publish a last time."""
        self.work(time.monotonic())


def _unpublishable(what: str, error: Exception) -> Failure:
    return Failure(
        code="internal_error",
        message=f"the {what} cannot be published: {type(error).__name__}: {in_words(error)}",
        hint="report it, with `detail`",
        detail="".join(traceback.format_exception(error))[-4000:],
    )


def _summary(record: Record) -> dict[str, Any]:
    """The fields that the log's line about the end of a job takes from the record."""
    seconds = dict(record.seconds)
    return {
        "queued": seconds.pop("queued", None),
        "seconds": seconds,
        "losses": record.last_losses,
        "width": record.output.width,
        "height": record.output.height,
        **({"frames": record.output.frames} if record.output.frames else {}),
        **{name: getattr(record, name) for name in _FROM_RECORD},
    }
