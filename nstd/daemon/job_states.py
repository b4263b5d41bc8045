"""Writes the states of jobs to disk for the dispatcher; after a disk error nothing is started."""

from __future__ import annotations

from nstd.errors import printable
from nstd.logs.throttle import DiskErrors
from nstd.queue.job import Job
from nstd.queue.store import JobStore


class JobStates:
    """The job store, with a pause of `pause` seconds after an error.

    `error` is the last error, as text, while it may last; else it is empty.
    """

    def __init__(self, store: JobStore, disk_errors: DiskErrors, pause: float) -> None:
        self._store, self._disk_errors, self.pause = store, disk_errors, pause
        self.paused_until = 0.0
        self.error = ""

    def save(self, job: Job, now: float) -> bool:
        """Write the job to disk; when that fails, start a pause and return False."""
        try:
            self._store.save(job)
        except OSError as error:
            self._fail(job, error, now)
            return False
        if now >= self.paused_until:
            self.error = ""
        return True

    def restart(self, job: Job, now: float) -> Job:
        """The job as it starts from its inputs; unchanged when the disk fails."""
        try:
            return self._store.restart(job)
        except OSError as error:
            self._fail(job, error, now)
            return job

    def _fail(self, job: Job, error: OSError, now: float) -> None:
        self._disk_errors.log(error, "work", job=job.id)
        self.paused_until = now + self.pause
        self.error = f"{printable(str(error.filename or 'work'))}: {error.strerror}"
