"""The way out: concluded jobs are published, told once, and removed; again until it works."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nstd.logs.log import emit, has_ended, keep_job_log
from nstd.logs.trouble import Trouble
from nstd.outbox.outbox import Outbox
from nstd.outbox.record import make_failure_record, make_record
from nstd.queue.job import Failure, Job
from nstd.queue.store import JobStore
from nstd.system.backoff import backoff
from nstd.system.durable import is_full

AGAIN, LONGEST = 5.0, 60.0
"""Seconds before a publication that met a disk error is tried again; doubles from the first."""
BUDGET = 0.5
"""Seconds that one turn of the loop spends here; what is left is due at the next turn."""
MANY = 3
"""So many jobs that cannot be published are not the jobs' own trouble."""


@dataclass
class Pending:
    """A job whose end is decided; `failure` is set while its reason may not be durable yet."""

    job: Job
    failure: Failure | None = None
    due: float = 0.0
    tries: int = 0
    error: OSError | None = None  # the one that the last try met
    is_told: bool = False  # only its folder is left to be removed


class Publisher:
    """Jobs that are over, on their way to the outbox."""

    def __init__(
        self,
        store: JobStore,
        outbox: Outbox,
        logs: Path,
        trouble: Trouble,
        on_finished: Callable[[Job], None],
        on_told: Callable[[Job, Failure | None, Path], None],
        on_over: Callable[[Job], None],
    ) -> None:
        self._store, self._outbox, self._logs = store, outbox, logs
        self._trouble, self._on_finished, self._on_told = trouble, on_finished, on_told
        self._on_over = on_over
        self.pending: dict[str, Pending] = {}
        self._late: dict[str, Pending] = {}  # those that have met an error
        self.finished = self.failed = 0

    def conclude(self, job: Job, failure: Failure | None = None) -> None:
        """The job has ended: with its result on disk, or with `failure`."""
        self.pending[job.id] = Pending(job, failure)

    def work(self, now: float) -> None:
        """Publish what is due; what meets an error waits, and holds up nothing else."""
        until = time.monotonic() + BUDGET
        for job_id, pending in list(self.pending.items()):
            if pending.due > now:
                continue
            if time.monotonic() > until:
                return
            try:
                self._publish(pending)
            except OSError as error:
                self._postpone(pending, error, now)
            except Exception as error:  # a bug, or a result that is not what workers write
                pending.due = now + LONGEST
                if pending.failure is not None:
                    raise
                pending.failure, pending.due = _unpublishable(error), 0.0
            else:
                del self.pending[job_id]
                self._late.pop(job_id, None)
                for other in self._full():
                    other.due = 0.0

    def _postpone(self, pending: Pending, error: OSError, now: float) -> None:
        self._trouble.tell(error, pending.job.name, job=pending.job.id)
        pending.error = error
        self._late[pending.job.id] = pending
        pending.tries += 1
        pending.due = now + backoff(pending.tries, AGAIN, LONGEST)

    def _full(self) -> list[Pending]:
        """Those that a full disk keeps back."""
        return [p for p in self._late.values() if p.error is not None and is_full(p.error)]

    @property
    def trouble(self) -> str:
        """Why no more jobs should be taken in, or nothing."""
        errors = [pending.error for pending in self._late.values() if pending.error is not None]
        if self._full():
            return "no space to publish what is done"
        return f"cannot publish: {errors[-1].strerror}" if len(errors) >= MANY else ""

    @property
    def next_event(self) -> float:
        """When the next publication is due."""
        return min((pending.due for pending in self.pending.values()), default=float("inf"))

    def _publish(self, pending: Pending) -> None:
        if not pending.is_told:
            failure = self._read_failure(pending)
            if not self._outbox.has_published(pending.job):
                while not self._try(pending, failure):
                    pass
                self._tell(pending.job, failure)
            else:
                self._outbox.make_durable(pending.job)
                if not has_ended(self._logs, pending.job.id):
                    self._tell(pending.job, failure)
            self._count(pending, failure)
        self._on_over(pending.job)
        self._store.remove(pending.job)

    def _count(self, pending: Pending, failure: Failure | None) -> None:
        pending.is_told = True
        if failure is None:
            self.finished += 1
            self._on_finished(pending.job)
        else:
            self.failed += 1

    def _read_failure(self, pending: Pending) -> Failure | None:
        """Why the job failed, durably; None when it did not."""
        paths, failure = self._store.paths(pending.job.id), pending.failure
        wanted = (paths.result, paths.picture(pending.job))
        lost = [path.name for path in wanted if not path.exists()]
        if failure is None and lost and not paths.reason.exists():
            message = f"{' and '.join(lost)} went missing from {paths.folder}"
            failure = Failure(code="io_error", message=message, hint="run `nstd retry`")
        if failure is not None and not paths.reason.exists():
            self._store.fail(pending.job, failure)
        return paths.read_failure()

    def _try(self, pending: Pending, failure: Failure | None) -> bool:
        """Fix a free name, then rename; False when something took the name in between."""
        target = self._outbox.free_target(pending.job, failed=failure is not None)
        job = pending.job = self._store.save(pending.job.model_copy(update={"target": target}))
        paths = self._store.paths(job.id)
        if failure is None:
            record = make_record(job, paths, time.time())
            _summary(record)  # a record that lacks something must not get as far as the outbox
            return self._outbox.publish(job, paths, record)
        record = make_failure_record(job, time.time())
        return self._outbox.publish_failure(job, paths, failure, record)

    def _tell(self, job: Job, failure: Failure | None) -> None:
        """The canonical line, durable before the job is removed; in the published log as well."""
        keep_job_log(job.id, self._outbox.log_of(job))
        line = {"job": job.id, "name": job.name, "output": job.target, "backend": job.backend}
        if job.batch is not None:
            line["batch"] = job.batch.id
        if failure is None:
            summary = _summary(self._outbox.read_record(job))
            emit("job.finished", **line, **summary, attempt=job.attempt)
        else:
            words = {"code": failure.code, "message": failure.message, "hint": failure.hint}
            where = {"device": failure.device} if failure.device else {}
            emit("job.failed", **line, **words, attempt=job.attempt, **where)
        keep_job_log(job.id, None)
        self._on_told(job, failure, self._outbox.record_of(job))


def _unpublishable(error: Exception) -> Failure:
    return Failure(
        code="internal_error",
        message=f"the result cannot be published: {error!r}",
        hint="report it, with `detail`",
        detail="".join(traceback.format_exception(error))[-4000:],
    )


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    """What the canonical line takes from the record."""
    seconds = record["seconds"]
    last = record["losses"][-1] if record["losses"] else {}
    return {
        "device": record["device"],
        "steps": record["steps"],
        "losses": {k: v for k, v in last.items() if k not in {"step", "level", "seconds"}},
        "seconds": {phase: value for phase, value in seconds.items() if phase != "queued"},
        "queued": seconds["queued"],
        "peak_memory": record["peak_memory"],
        "width": record["output"]["width"],
        "height": record["output"]["height"],
        "network": record["network"],
        "stopped": record["stopped"],
    }
