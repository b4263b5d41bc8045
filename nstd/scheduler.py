"""Which job runs next, on which slot, and what its end means. Pure: no clock, disk or process.

The caller passes the time in, does what comes out, and reports what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from nstd.breaker import Breaker
from nstd.config import Config
from nstd.devices import Slot
from nstd.job import Ending, Failure, Job, Outcome


class Decision(StrEnum):
    """What becomes of a job whose attempt has ended."""

    PUBLISH = "publish"
    FAIL = "fail"
    RETRY = "retry"
    REQUEUE = "requeue"  # the attempt does not count


@dataclass(frozen=True)
class Verdict:
    """A decision, with what it needs to be carried out and told."""

    job: Job
    decision: Decision
    slot: Slot
    seconds: float
    failure: Failure | None = None
    delay: float = 0.0
    device_down: float | None = None  # the breaker opened, for so many seconds
    device_up: bool = False


@dataclass
class Waiting:
    """A job that waits, and the time before which it does not start."""

    job: Job
    not_before: float = 0.0

    @property
    def rank(self) -> tuple[int, float, str]:
        """Smaller runs first: by priority, then by age."""
        return -self.job.priority, self.job.submitted, self.job.id


@dataclass
class Running:
    """A dispatched job; `intent` is the failure it will end with because it was stopped."""

    job: Job
    slot: Slot
    started: float
    reported: float
    intent: Failure | None = None
    stopping: bool = False


class Scheduler:
    """Waiting jobs, running jobs, slots and the health of devices."""

    def __init__(self, slots: Sequence[Slot], config: Config) -> None:
        self.slots = list(slots)
        self.waiting: dict[str, Waiting] = {}
        self.running: dict[str, Running] = {}
        self.breakers: dict[str, Breaker] = {}
        self._warm: dict[Slot, str] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings; running jobs and slots stay."""
        self._jobs, self._workers = config.jobs, config.workers
        for device in dict.fromkeys(slot.device for slot in self.slots):
            self.breakers.setdefault(device, Breaker(0, 0.0))
        for breaker in self.breakers.values():
            breaker.limit, breaker.cooldown = self._workers.failures, self._workers.cooldown

    def __contains__(self, job_id: str) -> bool:
        return job_id in self.waiting or job_id in self.running

    def admits(self, priority: int) -> bool:
        """Whether a ready sidecar should be claimed now: the queue is short, or it goes first."""
        if len(self.waiting) < self._jobs.queue:
            return True
        return all(priority > waiting.job.priority for waiting in self.waiting.values())

    def add(self, job: Job, not_before: float = 0.0) -> None:
        """A job waits for a slot."""
        self.waiting[job.id] = Waiting(job, not_before)

    def dispatch(self, now: float) -> Iterator[tuple[Job, Slot]]:
        """Jobs to start now, each with its slot; the caller calls `started` for each."""
        busy = {running.slot for running in self.running.values()}
        free = [slot for slot in self.slots if slot not in busy]
        due = [waiting for waiting in self.waiting.values() if waiting.not_before <= now]
        for waiting in sorted(due, key=lambda waiting: waiting.rank):
            open_slots = [slot for slot in free if self.breakers[slot.device].admits(now)]
            if not open_slots:
                return
            slot = min(open_slots, key=lambda slot: self._preference(slot, waiting.job))
            free.remove(slot)
            yield waiting.job, slot

    def _preference(self, slot: Slot, job: Job) -> tuple[int, int]:
        """Warm for this job first, then cold slots, then ones warm for something else."""
        warm = self._warm.get(slot)
        return (0 if warm == job.affinity else 1 if warm is None else 2), self.slots.index(slot)

    def started(self, job: Job, slot: Slot, now: float) -> None:
        """The attempt was dispatched."""
        del self.waiting[job.id]
        self.running[job.id] = Running(job, slot, now, now)
        self._warm[slot] = job.affinity
        self.breakers[slot.device].start()

    def progressed(self, job_id: str, now: float) -> None:
        """The job moved."""
        if running := self.running.get(job_id):
            running.reported = now

    def overdue(self, now: float) -> Iterator[Running]:
        """Running jobs that have used up their time, or that do not move; each told once."""
        for running in self.running.values():
            if running.intent or running.stopping:
                continue
            if now - running.started > running.job.timeout:
                running.intent = Failure(
                    code="timed_out",
                    message=f"not done after its time-out of {running.job.timeout:g} s",
                    hint="raise `timeout` in the sidecar, or ask for a smaller size or a draft",
                )
                yield running
            elif now - running.reported > self._workers.stall:
                running.intent = Failure(
                    code="worker_hung",
                    message=f"no progress for {self._workers.stall:g} s; its worker was killed",
                    hint="see the worker's output in the job's log; raise workers.stall if slow",
                )
                yield running

    def cancel(self, job_id: str) -> None:
        """A person does not want the running job: it ends as cancelled."""
        running = self.running[job_id]
        running.intent = Failure(code="cancelled", message="cancelled while it was running")

    def drop(self, job_id: str) -> Job | None:
        """Take a waiting job out of the queue; None when it does not wait."""
        waiting = self.waiting.pop(job_id, None)
        return waiting.job if waiting else None

    def stop(self, job_id: str) -> None:
        """The running job is to be saved and put back."""
        self.running[job_id].stopping = True

    def settle(self, outcome: Outcome, now: float) -> Verdict:
        """An attempt ended: what now?"""
        running = self.running.pop(outcome.job)
        breaker = self.breakers[running.slot.device]
        down, up = None, False
        stopped = running.stopping or (running.intent and running.intent.code != "worker_hung")
        if outcome.device_fault and not stopped:
            pause = breaker.pause
            if breaker.failure(outcome.job, now, at_start=outcome.at_start):
                down = pause
        elif outcome.ending is Ending.FINISHED:
            up = breaker.success()
        else:
            breaker.release()
        if outcome.device_fault:
            self._warm.pop(running.slot, None)
        decision, failure, delay = self._decide(running, outcome)
        seconds = now - running.started
        return Verdict(running.job, decision, running.slot, seconds, failure, delay, down, up)

    def _decide(self, running: Running, outcome: Outcome) -> tuple[Decision, Failure | None, float]:
        job, failure = running.job, outcome.failure
        if outcome.ending is Ending.FINISHED:
            return Decision.PUBLISH, None, 0.0
        if running.intent and not (running.intent.retryable and job.attempt < self._jobs.attempts):
            return Decision.FAIL, running.intent, 0.0
        failure = running.intent or failure
        if failure is None or running.stopping or outcome.at_start or failure.code == "disk_full":
            return Decision.REQUEUE, failure, 0.0
        if failure.retryable and job.attempt < self._jobs.attempts:
            return Decision.RETRY, failure, self._jobs.backoff * 2 ** (job.attempt - 1)
        return Decision.FAIL, failure, 0.0

    @property
    def all_down(self) -> bool:
        """Whether no device is up."""
        return all(breaker.is_open for breaker in self.breakers.values())

    def next_event(self) -> float:
        """The earliest time at which something is due: a retry, a device, a time-out."""
        times = [w.not_before for w in self.waiting.values() if w.not_before]
        times += [b.retry_at for b in self.breakers.values() if b.retry_at and self.waiting]
        for running in self.running.values():
            times.append(running.started + running.job.timeout)
            times.append(running.reported + self._workers.stall)
        return min(times, default=float("inf"))
