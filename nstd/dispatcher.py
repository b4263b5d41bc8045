"""From the queue to the end of an attempt: scheduler -> executor -> scheduler -> publisher."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from nstd.config import Config
from nstd.devices import Slot
from nstd.errors import printable
from nstd.executor import Executor, Report
from nstd.job import Failure, Job, Outcome
from nstd.log import disk_event, emit
from nstd.publisher import Publisher
from nstd.scheduler import Decision, Scheduler, Verdict
from nstd.spool import Spool
from nstd.state import StateFile

DISK_PAUSE = 10.0
"""Seconds without dispatch or intake after a disk refused to take the state of a job."""
_LOOK = 1.0
"""While jobs run, how often their workers' grace and health are looked at."""


class Dispatcher:
    """Carries out what the scheduler decides, durably."""

    def __init__(
        self,
        config: Config,
        slots: Sequence[Slot],
        executor: Executor,
        spool: Spool,
        publisher: Publisher,
        state: StateFile,
    ) -> None:
        self.scheduler = Scheduler(slots, config)
        self.executor = executor
        self._spool, self._publisher, self._state = spool, publisher, state
        self._restarting: set[str] = set()
        self._disk_until = 0.0
        self._disk_error = ""

    def dispatch(self, now: float) -> None:
        """Start what the scheduler wants started; the attempt is durable before it begins."""
        if now < self._disk_until:
            return
        for job, slot in self.scheduler.dispatch(now):
            begun = self._durably(job, self._spool.begin)
            if begun is None:
                return
            self.scheduler.started(begun, slot, now)
            emit(
                "job.started",
                job=job.id,
                name=job.name,
                attempt=begun.attempt,
                slot=slot.name,
                device=slot.device,
            )
            self.executor.start(begun, slot, self._spool.paths(job.id).folder)

    def collect(self, now: float) -> None:
        """Take in what the executor has to tell, and end what takes too long."""
        for event in self.executor.events():
            if isinstance(event, Report):
                self._note(event, now)
            elif event.job in self.scheduler.running:
                self._settle(event, now)
        for running in self.scheduler.overdue(now):
            hung = running.intent is not None and running.intent.code == "worker_hung"
            self.executor.cancel(running.job.id, kill=hung)

    def _note(self, report: Report, now: float) -> None:
        running = self.scheduler.running.get(report.job)
        if running is None:
            return
        self.scheduler.progressed(report.job, now)
        self._state.note_progress(self._spool.paths(report.job), report, running.slot.name)
        told = report.model_dump(exclude={"level", "levels"})
        scale = f"{report.level}/{report.levels}"  # `level` is the log's own word
        emit("job.progress", slot=running.slot.name, scale=scale, **told)

    def _settle(self, outcome: Outcome, now: float) -> None:
        verdict = self.scheduler.settle(outcome, now)
        job, failure = verdict.job, verdict.failure
        self._tell_device(verdict)
        if verdict.decision in {Decision.PUBLISH, Decision.FAIL}:
            self._publisher.conclude(job, failure)
        elif verdict.decision is Decision.RETRY and failure is not None:
            emit(
                "job.retried",
                job=job.id,
                attempt=job.attempt,
                code=failure.code,
                message=failure.message,
                delay=verdict.delay,
            )
            self._give_back(job, now + verdict.delay, forgive=False)
        else:
            self._requeue(job, failure, now)

    def _requeue(self, job: Job, failure: Failure | None, now: float) -> None:
        reason = failure.code if failure else "stopped"
        if reason == "disk_full" and failure is not None:
            self._hold_for_disk(now, failure.message)
        if job.id in self._restarting:
            self._restarting.discard(job.id)
            reason = "retry"
            job = self._durably(job, self._spool.restart) or job
        emit("job.requeued", job=job.id, reason=reason)
        self._give_back(job, 0.0, forgive=reason != "retry")

    def _give_back(self, job: Job, not_before: float, *, forgive: bool) -> None:
        waiting = self._durably(job, lambda job: self._spool.give_back(job, forgive=forgive))
        self.scheduler.add(waiting or job, not_before)

    def _durably(self, job: Job, write: Callable[[Job], Job]) -> Job | None:
        """The job as `write` leaves it on disk, or None when the disk did not take it."""
        try:
            return write(job)
        except OSError as error:
            emit(disk_event(error), path="work", error=printable(str(error)), job=job.id)
            self._hold_for_disk(time.monotonic(), str(error))
            return None

    def _hold_for_disk(self, now: float, error: str) -> None:
        self._disk_until, self._disk_error = now + DISK_PAUSE, error

    def _tell_device(self, verdict: Verdict) -> None:
        device, failure = verdict.slot.device, verdict.failure
        if verdict.device_up:
            emit("device.up", device=device)
        if verdict.device_down is not None:
            emit(
                "device.down",
                device=device,
                failures=self.scheduler.breakers[device].failures,
                cooldown=verdict.device_down,
                reason=failure.message if failure else "",
            )

    def configure(self, config: Config) -> None:
        """Take over new settings; slots and running jobs stay."""
        self.scheduler.configure(config)
        self.executor.configure(config)

    # What people and signals ask for

    def cancel(self, job_id: str) -> bool:
        """End a waiting or running job as cancelled; False when there is no such job."""
        if job_id not in self.scheduler:
            return False
        if job_id in self.scheduler.running:
            self.scheduler.cancel(job_id)
            self.executor.cancel(job_id)
        elif waiting := self.scheduler.drop(job_id):
            reason = Failure(code="cancelled", message="cancelled while it was waiting")
            self._publisher.conclude(waiting, reason)
        return True

    def restart(self, job_id: str) -> bool:
        """Start a waiting or running job anew from its inputs; False when there is none."""
        if job_id in self.scheduler.running:
            self._restarting.add(job_id)
            self.scheduler.stop(job_id)
            self.executor.stop(job_id)
        elif waiting := self.scheduler.drop(job_id):
            self.scheduler.add(self._durably(waiting, self._spool.restart) or waiting)
        else:
            return False
        return True

    def drain(self) -> None:
        """Have every running job saved and put back."""
        for job_id in list(self.scheduler.running):
            self.scheduler.stop(job_id)
            self.executor.stop(job_id)

    def end(self) -> None:
        """End all workers at once; what ran is put back, and its attempt does not count."""
        self.executor.close()
        for running in list(self.scheduler.running.values()):
            del self.scheduler.running[running.job.id]
            self._requeue(running.job, None, time.monotonic())

    # What the loop needs to know

    def reason_to_pause(self, now: float) -> str:
        """Why nothing should be claimed now, or nothing."""
        if now < self._disk_until:
            return self._disk_error
        return "all devices are down" if self.scheduler.all_down else ""

    @property
    def is_idle(self) -> bool:
        """Whether no job waits or runs."""
        return not self.scheduler.waiting and not self.scheduler.running

    def next_event(self, now: float) -> float:
        """When something is due: a retry, a time-out, a look at the workers."""
        due = self.scheduler.next_event()
        if self.scheduler.running:
            due = min(due, now + _LOOK)
        return max(due, self._disk_until) if self._disk_until > now else due

    def waitables(self) -> Sequence[Any]:
        """What to wait on for the next event of a worker."""
        return self.executor.waitables()
