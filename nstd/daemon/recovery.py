"""Recovery: adds the jobs on disk that an earlier run, or an error of this run, has left."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nstd.documents.config import Config
from nstd.errors import StoreError, printable
from nstd.intake.claim import Claims
from nstd.logs.log import emit, keep_job_log
from nstd.logs.reader import has_ended
from nstd.logs.throttle import DiskErrors, Throttle
from nstd.outbox.outbox import Outbox
from nstd.queue.ended import EndedJobs
from nstd.queue.job import Failure, Job
from nstd.queue.scheduler import Scheduler
from nstd.queue.store import JobStore, State
from nstd.system.waits import USUAL, Waits

AGAIN = 60.0
"""Seconds until a job folder that cannot be read is read again: a person may repair it."""


class Recovery:
    """Finds the jobs on disk that are not in the queue; their files say how they continue."""

    def __init__(
        self,
        config: Config,
        store: JobStore,
        claims: Claims,
        outbox: Outbox,
        scheduler: Scheduler,
        ended: EndedJobs,
        logs: Path,
        disk_errors: DiskErrors,
        waits: Waits = USUAL,
    ) -> None:
        self._claims, self._retry_wait = claims, waits.undo
        self._store, self._outbox, self._scheduler, self._ended = store, outbox, scheduler, ended
        self._log_has_end, self._disk_errors = partial(has_ended, logs), disk_errors
        self._is_done = False
        self._throttle, self._is_broken = Throttle(), False
        self._due = 0.0
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._attempts = config.jobs.attempts

    def work(self, now: float) -> None:
        """Scan the job folders when it is time. Raises OSError; then the next turn tries again."""
        if self._store.needs_recovery:
            self._store.needs_recovery, self._due = False, 0.0
        if now < self._due:
            return
        self._is_done = False
        self._outbox.clean({ended.job.id for ended in self._ended})
        self._throttle.begin()
        self._is_broken = False
        for job, state in list(self._store.jobs(self._log_broken)):
            if job.id not in self._scheduler and job.id not in self._ended:
                self._add(job, state)
        self._undo_claims(now)

    def _undo_claims(self, now: float) -> None:
        """Undo the claims in flight: after the jobs, so that an unreadable inbox does not delay
        them."""
        try:
            is_clean = self._claims.undo(now, self._log_has_end)
        except OSError as error:
            self._disk_errors.log(error, str(error.filename or "claims"))
            self._due = now + self._retry_wait
            return
        self._is_done = True
        self._due = float("inf") if is_clean and not self._is_broken else now + AGAIN

    def _add(self, job: Job, state: State) -> None:
        keep_job_log(job.id, self._store.paths(job.id).log)
        emit("job.recovered", job=job.id, found=state.value)
        if state is not State.WAITING:
            self._ended.add(job)
            return
        waiting = self._store.forgive_crash(job)
        if job.running and waiting.attempt >= self._attempts:
            self._ended.add(waiting, _crash_failure(waiting))
        else:
            self._scheduler.add(waiting)

    def _log_broken(self, error: StoreError) -> None:
        self._is_broken = True
        if self._throttle.is_new(error.message, True):
            emit("job.unreadable", error=printable(error.message))

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Whether no job or claim of an earlier run is left to be added."""
        return self._is_done and not self._store.needs_recovery

    def next_event(self, _now: float) -> float:
        """When the folders are scanned again."""
        return self._due

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()

    def close(self) -> None:
        """Nothing to write."""


def _crash_failure(job: Job) -> Failure:
    return Failure(
        code="worker_died",
        message=f"the daemon itself died {job.crashes} times while the job ran",
        hint="look for the kernel's out-of-memory killer, or ask for a smaller output.size",
    )
