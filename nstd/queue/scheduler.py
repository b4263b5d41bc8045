"""Which job runs next, on which slot, and what its end means. Pure: no clock, disk or process.

The caller passes the time in, does what comes out, and reports what happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from nstd.documents.config import Config
from nstd.queue.breaker import Breaker
from nstd.queue.ended import LiveMembers
from nstd.queue.entries import Decision, Running, Verdict, Waiting
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.slots import FreeSlots, Slot
from nstd.system.backoff import backoff
from nstd.system.waits import USUAL, Waits

LONGEST_BACKOFF = 3600.0
"""Seconds before another attempt at most, unless the config asks for more before the second."""

LONGEST_DISK_WAIT = 600.0
"""Seconds that a job waits at most which met a full disk; others go first."""

_FORGIVEN = {"disk_full", "cluster_lost"}
"""Failures that an attempt has nothing to do with: it does not count. A full disk does where the
job had all the room that it was predicted to need: it would fill any disk."""


class Scheduler:
    """Waiting jobs, running jobs, slots and the health of devices."""

    def __init__(self, slots: Sequence[Slot], config: Config, waits: Waits = USUAL) -> None:
        self._disk_wait = waits.full_job
        self.slots: list[Slot] = []
        self.waiting: dict[str, Waiting] = {}
        self.running: dict[str, Running] = {}
        self.breakers: dict[str, Breaker] = {}
        self._warm: dict[Slot, str] = {}
        self._full: Counter[str] = Counter()  # how often in a row each job has met a full disk
        self.members = LiveMembers()
        self._is_leaving = False  # whether a job still runs on a device that has no slot any more
        self.configure(config)
        self.offer(slots)

    def configure(self, config: Config) -> None:
        """Take over new settings; running jobs and slots stay."""
        self._jobs, self._workers = config.jobs, config.workers
        for breaker in self.breakers.values():
            breaker.settings = config.workers

    def offer(self, slots: Sequence[Slot]) -> None:
        """Take over the slots that there are now; running jobs stay where they are."""
        if self.slots == list(slots) and not self._is_leaving:
            return
        self.slots = list(slots)
        here = {slot.device for slot in self.slots}
        running = [entry.slot for entry in self.running.values()]
        devices = dict.fromkeys(slot.device for slot in [*self.slots, *running])
        before = self.breakers
        self.breakers = {name: before.get(name) or Breaker(self._workers) for name in devices}
        self._is_leaving = len(devices) > len(here)
        known = set(self.slots)
        self._warm = {slot: warm for slot, warm in self._warm.items() if slot in known}

    def __contains__(self, job_id: str) -> bool:
        return job_id in self.waiting or job_id in self.running

    def admits(self, priority: int) -> bool:
        """Whether a ready sidecar should be claimed now: the queue is short, or it goes first."""
        if len(self.waiting) < self._jobs.queue:
            return True
        return all(priority > waiting.job.priority for waiting in self.waiting.values())

    def add(
        self, job: Job, not_before: float = 0.0, *, shunned: frozenset[str] = frozenset()
    ) -> None:
        """A job waits for a slot: for one of no `shunned` node, as long as there is such a one."""
        self.members.enter(job)
        self.waiting[job.id] = Waiting(job, not_before, shunned)

    def drop(self, job_id: str) -> Job | None:
        """Take a waiting job out of the queue; None when it does not wait."""
        waiting = self.waiting.pop(job_id, None)
        self._full.pop(job_id, None)
        return waiting.job if waiting else None

    def dispatch(self, now: float) -> Iterator[tuple[Job, Slot]]:
        """Jobs to start now, each with its slot; the caller calls `started` for each."""
        if not self.waiting:
            return
        sound, suspect = self._idle()
        due = [waiting for waiting in self.waiting.values() if waiting.not_before <= now]
        for waiting in sorted(due, key=lambda waiting: waiting.rank) if sound or suspect else ():
            affinity, admits = waiting.job.affinity, partial(self._admits, now)
            shunned = waiting.shunned if self._is_up_beside(waiting.shunned) else frozenset()
            shunned |= self._left_to_others(waiting.job, due, now)
            slot = sound.take(affinity, admits, shunned) or suspect.take(affinity, admits, shunned)
            if slot is not None:
                yield waiting.job, slot
            elif not shunned:
                return

    def _left_to_others(self, job: Job, due: list[Waiting], now: float) -> set[str]:
        """The nodes whose device is due for a trial, and went down with the job, not with all."""
        left = {
            name
            for name, breaker in self.breakers.items()
            if breaker.has_blamed(job.id)
            and breaker.admits(now)
            and not all(breaker.has_blamed(waiting.job.id) for waiting in due)
        }
        return {slot.node for slot in self.slots if slot.device in left}

    def _is_up_beside(self, nodes: frozenset[str]) -> bool:
        """Whether another device than those of `nodes`, if any, is up."""
        others = (slot for slot in self.slots if nodes and slot.node not in nodes)
        return any(not self.breakers[slot.device].is_open for slot in others)

    def _idle(self) -> tuple[FreeSlots, FreeSlots]:
        """Free slots: of nodes without a failure since their last success, and of the others.

        A node that died is still listed for a while: its jobs had better go on elsewhere.
        """
        busy = {running.slot for running in self.running.values()}
        failing = {slot.node for slot in self.slots if self.breakers[slot.device].failures}
        free = [slot for slot in self.slots if slot not in busy]
        sound = [slot for slot in free if slot.node not in failing]
        suspect = [slot for slot in free if slot.node in failing]
        return FreeSlots(sound, self._warm), FreeSlots(suspect, self._warm)

    def _admits(self, now: float, slot: Slot) -> bool:
        return self.breakers[slot.device].admits(now)

    def started(self, job: Job, slot: Slot) -> None:
        """The attempt was dispatched."""
        shunned = self.waiting.pop(job.id).shunned
        self.running[job.id] = Running(job, slot, shunned=shunned)
        self._warm[slot] = job.affinity
        self.breakers[slot.device].start(job.id)

    def begun(self, job_id: str, now: float) -> None:
        """A worker has taken the job: its time runs from now on."""
        if running := self.running.get(job_id):
            running.began = running.reported = now

    def progressed(self, job_id: str, now: float) -> None:
        """The job moved."""
        if running := self.running.get(job_id):
            running.reported = now

    def overdue(self, now: float) -> Iterator[Running]:
        """Running jobs that have used up their time, or that do not move; each told once."""
        for running in self.running.values():
            if running.is_ending:
                continue
            time_out, stall = running.deadlines(self._workers.stall)
            if now >= time_out:
                running.sentence = _timed_out(running.job.timeout)
            elif now >= stall:
                running.sentence = _hung(self._workers.stall)
            if running.sentence is not None:
                yield running

    def cancel(self, job_id: str) -> None:
        """A person does not want the running job: it ends as cancelled."""
        failure = Failure(code="cancelled", message="cancelled while it was running")
        self.running[job_id].sentence = failure

    def stop(self, job_id: str, *, restart: bool = False) -> None:
        """The running job is put back: to be resumed, or to start again from its inputs."""
        running = self.running[job_id]
        if running.put_back is not Decision.RESTART:
            running.put_back = Decision.RESTART if restart else Decision.REQUEUE

    def settle(self, outcome: Outcome, now: float) -> Verdict:
        """An attempt ended: what now?"""
        running = self.running.pop(outcome.job)
        failure = _why(running, outcome)
        decision = self._decide(running, outcome, failure)
        delay = self._delay(running.job, decision, failure)
        down, up = self._judge_device(running, outcome, now)
        shunned = running.shunned
        if failure is not None and failure.code == "out_of_memory":
            shunned |= {running.slot.node}
        return Verdict(running.job, running.slot, decision, failure, delay, down, up, shunned)

    def _decide(self, running: Running, outcome: Outcome, failure: Failure | None) -> Decision:
        if outcome.ending is Ending.FINISHED:
            return Decision.PUBLISH
        if running.sentence is not None and not running.sentence.retryable:
            return Decision.FAIL
        if running.put_back is not None or failure is None:
            return running.put_back or Decision.REQUEUE
        is_forgiven = failure.code in _FORGIVEN and not outcome.had_room
        if outcome.at_start or is_forgiven:
            return Decision.REQUEUE
        if failure.retryable and running.job.attempt < self._jobs.attempts:
            return Decision.RETRY
        return Decision.FAIL

    def _delay(self, job: Job, decision: Decision, failure: Failure | None) -> float:
        """Seconds until the job may start again."""
        is_full = failure is not None and failure.code == "disk_full"
        if decision is Decision.REQUEUE and is_full:
            self._full[job.id] += 1
            return min(LONGEST_DISK_WAIT, self._disk_wait * 2.0 ** (self._full[job.id] - 1))
        self._full.pop(job.id, None)
        return self._backoff(job) if decision is Decision.RETRY else 0.0

    def _backoff(self, job: Job) -> float:
        longest = max(LONGEST_BACKOFF, self._jobs.backoff)
        return backoff(job.attempt, self._jobs.backoff, longest)

    def _judge_device(
        self, running: Running, outcome: Outcome, now: float
    ) -> tuple[float | None, bool]:
        """What the end of an attempt says about its device: the pause if it went down; up again.

        A worker that had to be killed because it was told to end says nothing; one that hung by
        itself does.
        """
        breaker, job = self.breakers[running.slot.device], running.job.id
        if outcome.device_fault:
            self._warm.pop(running.slot, None)
        if outcome.ending is Ending.FINISHED:
            return None, breaker.success()
        has_hung = running.sentence is not None and running.sentence.code == "worker_hung"
        if outcome.device_fault and (has_hung or not running.is_ending):
            return breaker.failure(job, now, at_start=outcome.at_start), False
        breaker.release(job)
        return None, False

    @property
    def all_down(self) -> bool:
        """Whether no device is up, or there is none."""
        return all(self.breakers[slot.device].is_open for slot in self.slots)

    def is_barred(self, now: float) -> bool:
        """Whether no device would take a job now: all are down, and none is due for a trial."""
        return not any(self.breakers[slot.device].admits(now) for slot in self.slots)

    def next_event(self, since: float) -> float:
        """The first time after `since` at which something is due: a retry, a device, a time-out."""
        times = [waiting.not_before for waiting in self.waiting.values()]
        times += [breaker.retry_at or 0.0 for breaker in self.breakers.values()]
        for running in self.running.values():
            if not running.is_ending:
                times += running.deadlines(self._workers.stall)
        return min((time for time in times if time > since), default=float("inf"))


def _why(running: Running, outcome: Outcome) -> Failure | None:
    """The failure to tell: what the attempt was ended for, else what it met by itself."""
    if outcome.ending is Ending.FINISHED:
        return None
    if running.sentence is not None:
        detail = outcome.failure.detail if outcome.failure else ""
        return running.sentence.model_copy(update={"detail": detail})
    if outcome.failure is None and running.put_back is None:
        return Failure(code="internal_error", message=f"{outcome.ending} without being asked to")
    return outcome.failure


def _timed_out(timeout: float) -> Failure:
    return Failure(
        code="timed_out",
        message=f"not done after its time-out of {timeout:g} s",
        hint="raise `timeout` in the sidecar, or ask for a smaller size or a draft",
    )


def _hung(stall: float) -> Failure:
    return Failure(
        code="worker_hung",
        message=f"no progress for {stall:g} s; its worker was killed",
        hint="`detail` has the worker's last words; raise workers.stall if the backend is slow",
    )
