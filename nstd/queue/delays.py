"""How long a job waits before its next attempt."""

from __future__ import annotations

from collections import Counter

from nstd.documents.settings import JobsSettings
from nstd.queue.entries import Decision
from nstd.queue.job import Failure, Job
from nstd.system.backoff import backoff

LONGEST_BACKOFF = 3600.0
"""The longest wait before another attempt, in seconds, unless the config has a longer first one."""
LONGEST_DISK_WAIT = 600.0
"""The longest wait, in seconds, of a job that met a full disk; others go first."""


class Delays:
    """Delays in seconds; they grow with each failure in a row."""

    def __init__(self, disk_wait: float) -> None:
        """`disk_wait` is the first delay after a full disk, in seconds."""
        self._disk_wait = disk_wait
        self._full: Counter[str] = Counter()  # how often in a row each job has met a full disk

    def forget(self, job_id: str) -> None:
        """The job does not wait any more, or its last attempt met no full disk."""
        self._full.pop(job_id, None)

    def of(
        self, job: Job, decision: Decision, failure: Failure | None, settings: JobsSettings
    ) -> float:
        """The delay after an attempt that ended with this decision and failure."""
        is_full = failure is not None and failure.code == "disk_full"
        if decision is Decision.REQUEUE and is_full:
            self._full[job.id] += 1
            return min(LONGEST_DISK_WAIT, self._disk_wait * 2.0 ** (self._full[job.id] - 1))
        self.forget(job.id)
        if decision is not Decision.RETRY:
            return 0.0
        return backoff(job.attempt, settings.backoff, max(LONGEST_BACKOFF, settings.backoff))
