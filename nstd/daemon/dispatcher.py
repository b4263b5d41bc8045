"""Starts the jobs that the scheduler chooses, and handles the end of each attempt."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from structlog.contextvars import bound_contextvars

from nstd.daemon.health import HealthFile
from nstd.daemon.job_states import JobStates
from nstd.documents.config import Config
from nstd.errors import printable
from nstd.executors.contract import Begun, Event, Executor
from nstd.logs.log import emit
from nstd.logs.throttle import DiskErrors
from nstd.queue.ended import EndedJobs
from nstd.queue.entries import Decision, Resolution
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.progress import Report
from nstd.queue.scheduler import Scheduler
from nstd.queue.slots import Slot
from nstd.queue.store import JobStore
from nstd.system.waits import USUAL, Waits

CHECK_INTERVAL = 1.0
"""Seconds between checks of the workers while jobs run."""
_NOT_LOGGED = {"job", "level", "levels", "note", "picture_notes", "memory"}
"""Fields of a progress report that are logged otherwise, or not at all."""


class Dispatcher:
    """Carries out the scheduler's decisions; each is on disk before it takes effect."""

    def __init__(
        self,
        config: Config,
        executor: Executor,
        scheduler: Scheduler,
        ended: EndedJobs,
        store: JobStore,
        state: HealthFile,
        disk_errors: DiskErrors,
        waits: Waits = USUAL,
    ) -> None:
        self.scheduler, self.executor = scheduler, executor
        self._store, self._ended, self._state = store, ended, state
        self._disk_errors = disk_errors
        self._events: deque[Event] = deque()
        self._checked = 0.0
        self._states = JobStates(store, disk_errors, waits.disk)
        self._is_draining = False
        self.configure(config)

    def open(self) -> None:
        """Start the executor. Raises NstdError when there is no device to run jobs on."""
        self.executor.open()
        self.scheduler.set_slots(self.executor.slots())

    def work(self, now: float) -> None:
        """Handle the attempts that have ended, then start jobs on the slots that are free."""
        self.collect(now)
        if not self._is_draining:
            self.dispatch(now)

    def dispatch(self, now: float) -> None:
        """Start the jobs that the scheduler chooses; each attempt is on disk before it begins."""
        self._checked = now
        if now < self._states.paused_until:
            return
        if not self.scheduler.can_start_some:
            self._states.error = ""  # no job can test the disk; the next claim does
        for job, slot in self.scheduler.dispatch(now):
            with _bound(job.id, slot):
                begun = job.begun(self._count_frames(job))
                if not self._states.save(begun, now):
                    self.scheduler.add(job, now + self._states.pause)  # others go first next time
                    return
                self.scheduler.started(begun, slot)
                emit("job.started", name=job.name, attempt=begun.attempt)
                self.executor.start(begun, slot, self._store.paths(job.id).folder)

    def collect(self, now: float) -> None:
        """Handle the executor's events, and end the attempts that are overdue."""
        self._checked = now
        self._events.extend(self.executor.events())
        self.scheduler.set_slots(self.executor.slots())
        while self._events:
            event = self._events.popleft()  # removed first: an error must not lose the rest
            if isinstance(event, Begun):
                self.scheduler.begun(event.job, now)
            elif isinstance(event, Report):
                self._note(event, now)
            elif event.job in self.scheduler.running:
                self._end_attempt(event, now)
        for running in self.scheduler.overdue(now):
            self.executor.cancel(running.job.id, kill=running.is_hung)

    def _note(self, report: Report, now: float) -> None:
        running = self.scheduler.running.get(report.job)
        if running is None:
            return
        self.scheduler.progressed(report.job, now, report.frame)
        self._state.note_progress(self._store.paths(report.job), report, running.slot.name)
        fields = report.model_dump(exclude=_NOT_LOGGED)
        with _bound(report.job, running.slot):
            for note in filter(None, (*report.picture_notes, report.note)):
                emit("job.noted", note=printable(note))
            emit("job.progress", scale=report.scale, **fields)

    def _end_attempt(self, outcome: Outcome, now: float) -> None:
        running = self.scheduler.running[outcome.job]
        running.job = running.job.advanced(self._count_frames(running.job))
        with _bound(outcome.job, running.slot):
            resolution = self.scheduler.resolve(outcome, now)
            self._log_device(resolution)
            if outcome.full_path:
                full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), outcome.full_path)
                self._disk_errors.log(full, outcome.full_path, job=outcome.job)
            self._carry_out(resolution, now)

    def _count_frames(self, job: Job) -> int:
        """How many frames of a film are made; 0 for a picture."""
        return 0 if job.film is None else self._store.paths(job.id).count_frames()

    def _carry_out(self, resolution: Resolution, now: float) -> None:
        job, failure = resolution.job, resolution.failure
        match resolution.decision:
            case Decision.PUBLISH:
                self._ended.add(job)
            case Decision.FAIL:
                where = {"device": resolution.slot.device}
                self._ended.add(job, failure and failure.model_copy(update=where))
            case Decision.RETRY:
                self._retry(resolution, now)
            case Decision.REQUEUE:
                self._requeue(resolution, now)
            case Decision.RESTART:
                emit("job.requeued", reason="retry")
                self._start_anew(job, now)

    def _retry(self, resolution: Resolution, now: float) -> None:
        job, failure = resolution.job, resolution.failure
        emit(
            "job.retried",
            attempt=job.attempt,
            code=failure.code if failure else "",
            message=failure.message if failure else "",
            delay=resolution.delay,
        )
        self._requeue_job(resolution, now, forgive=False)

    def _requeue(self, resolution: Resolution, now: float) -> None:
        failure = resolution.failure
        reason = failure.code if failure else "stopped"
        emit("job.requeued", reason=reason)
        self._requeue_job(resolution, now, forgive=True)

    def _requeue_job(self, resolution: Resolution, now: float, *, forgive: bool) -> None:
        """The job waits again; if the disk fails, the count of attempts in memory is used."""
        waiting, delay = resolution.job.requeued(forgive=forgive), resolution.delay
        self._states.save(waiting, now)
        not_before = now + delay if delay else 0.0
        self.scheduler.add(waiting, not_before, avoided=resolution.avoided)

    def _start_anew(self, job: Job, now: float) -> None:
        self.scheduler.add(self._states.restart(job, now))

    def _log_device(self, resolution: Resolution) -> None:
        device, failure = resolution.slot.device, resolution.failure
        if resolution.device_up:
            emit("device.up")
        if resolution.device_down is not None:
            emit(
                "device.down",
                failures=self.scheduler.breakers[device].failures,
                cooldown=resolution.device_down,
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
            self._ended.add(waiting, reason)
        return True

    def restart(self, job_id: str) -> bool:
        """Start a waiting or running job again from its inputs; False when there is no such job."""
        if job_id in self.scheduler.running:
            self.scheduler.stop(job_id, restart=True)
            self.executor.stop(job_id)
        elif waiting := self.scheduler.drop(job_id):
            self._start_anew(waiting, time.monotonic())
        else:
            return False
        return True

    def drain(self) -> None:
        """Have every running job save its state and wait again, and start no more jobs."""
        self._is_draining = True
        self.put_back()

    def put_back(self) -> None:
        """Have every running job save its state and wait again."""
        for job_id in list(self.scheduler.running):
            self.scheduler.stop(job_id)
            self.executor.stop(job_id)

    def close(self) -> None:
        """Kill all workers; jobs that still ran wait again, and their attempts do not count."""
        now = time.monotonic()
        self.collect(now)
        self.executor.close()
        for job_id in list(self.scheduler.running):
            self.scheduler.stop(job_id)
            self._end_attempt(Outcome(job=job_id, ending=Ending.STOPPED), now)

    # What the loop needs to know

    def reason_to_pause(self) -> str:
        """Why nothing should be claimed now, or an empty string."""
        is_closed = self.scheduler.is_closed(self._checked)
        down = "all devices are down" if is_closed else ""
        return self._states.error or self.executor.why_no_slots() or down

    @property
    def is_idle(self) -> bool:
        """Whether no job runs, and none waits that may start."""
        return not self.scheduler.can_start_some and not self.scheduler.running

    def next_event(self, now: float) -> float:
        """When to act next: a retry, a time-out, a check of the workers, or another try of the
        disk."""
        due = self.scheduler.next_event(self._checked)
        if self.scheduler.running:
            due = min(due, now + CHECK_INTERVAL)
        if self._states.paused_until > self._checked:
            due = min(due, self._states.paused_until)
        return due

    def waitables(self) -> Sequence[Any]:
        """What to wait on for the next event of a worker."""
        return self.executor.waitables()


def _bound(job_id: str, slot: Slot) -> AbstractContextManager[None]:
    """Add the job, its slot and its device to every line logged inside this context."""
    return bound_contextvars(job=job_id, slot=slot.name, device=slot.device)
