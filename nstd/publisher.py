"""The way out: concluded jobs are published, told once, and removed; again until it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nstd.errors import printable
from nstd.job import Failure, Job
from nstd.log import disk_event, emit, has_ended, keep_job_log
from nstd.outbox import Outbox
from nstd.record import make_failure_record, make_record
from nstd.spool import Spool

AGAIN = 5.0
"""Seconds before a publication that met a disk error is tried again."""


@dataclass
class Pending:
    """A job whose end is decided; `failure` is set while its reason may not be durable yet."""

    job: Job
    failure: Failure | None = None
    due: float = 0.0


class Publisher:
    """Jobs that are over, on their way to the outbox."""

    def __init__(
        self, spool: Spool, outbox: Outbox, logs: Path, on_finished: Callable[[Job], None]
    ) -> None:
        self._spool, self._outbox, self._logs = spool, outbox, logs
        self._on_finished = on_finished
        self.pending: dict[str, Pending] = {}
        self.finished = self.failed = 0
        self.trouble = ""
        """The disk error that the last try met."""

    def conclude(self, job: Job, failure: Failure | None = None) -> None:
        """The job has ended: with its result on disk, or with `failure`."""
        self.pending[job.id] = Pending(job, failure)

    def work(self, now: float) -> None:
        """Publish what is due."""
        for job_id, pending in list(self.pending.items()):
            if pending.due > now:
                continue
            try:
                self._publish(pending)
            except OSError as error:
                pending.due, self.trouble = now + AGAIN, str(error)
                emit(
                    disk_event(error),
                    job=job_id,
                    path=pending.job.name,
                    error=printable(str(error)),
                )
            else:
                del self.pending[job_id]
                self.trouble = ""

    @property
    def next_event(self) -> float:
        """When the next publication is due."""
        return min((pending.due for pending in self.pending.values()), default=float("inf"))

    def _publish(self, pending: Pending) -> None:
        job, paths = pending.job, self._spool.paths(pending.job.id)
        if pending.failure is not None and not paths.reason.exists():
            self._spool.fail(job, pending.failure)
        failure = paths.read_failure()
        told = False
        if self._outbox.has_published(job):
            told = has_ended(self._logs, job.id)
        else:
            while not self._try(pending, failure):
                pass
        if not told:
            self._tell(pending.job, failure)
        self._spool.remove(job)

    def _try(self, pending: Pending, failure: Failure | None) -> bool:
        """Fix a free name, then rename; False when something took the name in between."""
        target = self._outbox.free_target(pending.job, failed=failure is not None)
        job = pending.job = self._spool.save(pending.job.model_copy(update={"target": target}))
        paths = self._spool.paths(job.id)
        if failure is None:
            return self._outbox.publish(job, paths, make_record(job, paths, time.time()))
        record = make_failure_record(job, time.time())
        return self._outbox.publish_failure(job, paths, failure, record)

    def _tell(self, job: Job, failure: Failure | None) -> None:
        """The canonical line, also in the published log; and what else follows from the end."""
        keep_job_log(job.id, self._outbox.log_of(job))
        line = {"job": job.id, "name": job.name, "output": job.target, "backend": job.backend}
        if failure is None:
            self.finished += 1
            summary = _summary(self._outbox.read_record(job))
            emit("job.finished", **line, **summary, attempt=job.attempt)
            self._on_finished(job)
        else:
            self.failed += 1
            words = {"code": failure.code, "message": failure.message, "hint": failure.hint}
            emit("job.failed", **line, **words, attempt=job.attempt)
        keep_job_log(job.id, None)


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
