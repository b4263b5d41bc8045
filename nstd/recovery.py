"""Takes over what an earlier run, or an error of this one, has left on disk."""

from __future__ import annotations

from nstd.config import Config
from nstd.errors import SpoolError, printable
from nstd.job import Failure, Job
from nstd.log import emit, has_ended, keep_job_log
from nstd.outbox import LOGS, Outbox
from nstd.publisher import Publisher
from nstd.scheduler import Scheduler
from nstd.spool import Spool, State
from nstd.told import Told

AGAIN = 60.0
"""Seconds until a job folder that cannot be read is looked at again: a person may mend it."""


class Recovery:
    """Every job on disk that nobody knows yet; what its files say is what is done."""

    def __init__(
        self, config: Config, spool: Spool, outbox: Outbox, scheduler: Scheduler, out: Publisher
    ) -> None:
        self._spool, self._outbox, self._scheduler, self._out = spool, outbox, scheduler, out
        self._told, self._is_broken = Told(), False
        self._due, self._logs = 0.0, config.folder("outbox") / LOGS
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._attempts = config.jobs.attempts

    def ask(self) -> None:
        """An error may have left a claim in flight: look at the next turn."""
        self._due = 0.0

    def work(self, now: float) -> None:
        """Look, if it is due. Raises OSError; then it stays due."""
        if now < self._due:
            return
        self._outbox.clean(set(self._out.pending))
        self._spool.undo_claims(lambda job_id: has_ended(self._logs, job_id))
        self._told.begin()
        self._is_broken = False
        for job, state in list(self._spool.jobs(self._tell_broken)):
            if job.id not in self._scheduler and job.id not in self._out.pending:
                self._adopt(job, state)
        self._due = now + AGAIN if self._is_broken else float("inf")

    def _adopt(self, job: Job, state: State) -> None:
        keep_job_log(job.id, self._spool.paths(job.id).log)
        emit("job.recovered", job=job.id, found=state.value)
        if state is not State.WAITING:
            self._out.conclude(job)
            return
        waiting = self._spool.forgive_crash(job)
        if job.running and waiting.attempt >= self._attempts:
            self._out.conclude(waiting, _deadly(waiting))
        else:
            self._scheduler.add(waiting)

    def _tell_broken(self, error: SpoolError) -> None:
        self._is_broken = True
        if self._told.is_news(error.message, True):
            emit("job.unreadable", error=printable(error.message))


def _deadly(job: Job) -> Failure:
    return Failure(
        code="worker_died",
        message=f"the daemon itself died {job.crashes} times while the job ran",
        hint="look for the kernel's out-of-memory killer, or ask for a smaller output.size",
    )
