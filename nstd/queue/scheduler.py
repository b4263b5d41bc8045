"""Decides which job runs next, on which slot, and what the end of an attempt means.

Pure: it uses no clock, no disk and no processes. The caller passes the time in, carries out the
decisions, and reports what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from nstd.documents.config import Config
from nstd.queue.breaker import Breaker
from nstd.queue.delays import Delays
from nstd.queue.device_blame import DeviceBlame
from nstd.queue.ended import LiveMembers
from nstd.queue.entries import Decision, Resolution, Running, Waiting
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.slots import FreeSlots, Slot
from nstd.queue.start_pause import StartPause
from nstd.queue.turns import Turns
from nstd.system.waits import USUAL, Waits

_FORGIVEN = {"disk_full", "cluster_lost"}
"""Failures that are not the fault of the job, so that its attempt does not count. A full disk does
count if the job had all the room that it was predicted to need: it would fill any disk."""


class Scheduler:
    """Waiting jobs, running jobs, slots and the health of devices."""

    def __init__(self, slots: Sequence[Slot], config: Config, waits: Waits = USUAL) -> None:
        self.slots: list[Slot] = []
        self.waiting: dict[str, Waiting] = {}
        self.running: dict[str, Running] = {}
        self.breakers: dict[str, Breaker] = {}
        self._warm: dict[Slot, str] = {}
        self._delays, self._blame = Delays(waits.full_job), DeviceBlame()
        self.members, self._turns = LiveMembers(), Turns()
        self.start_pause: StartPause | None = None
        """Why no job is started now; set by the caller."""
        self._has_removed_device = False  # whether a job runs on a device that was removed
        self.configure(config)
        self.set_slots(slots)

    def configure(self, config: Config) -> None:
        """Take over new settings; running jobs and slots do not change."""
        self._jobs, self._workers = config.jobs, config.workers
        for breaker in self.breakers.values():
            breaker.settings = config.workers

    def set_slots(self, slots: Sequence[Slot]) -> None:
        """Replace the list of slots; running jobs stay on their slots."""
        if self.slots == list(slots) and not self._has_removed_device:
            return
        self.slots = list(slots)
        here = {slot.device for slot in self.slots}
        running = [entry.slot for entry in self.running.values()]
        devices = dict.fromkeys(slot.device for slot in [*self.slots, *running])
        before = self.breakers
        self.breakers = {name: before.get(name) or Breaker(self._workers) for name in devices}
        self._has_removed_device = len(devices) > len(here)
        known = set(self.slots)
        self._warm = {slot: warm for slot, warm in self._warm.items() if slot in known}

    def __contains__(self, job_id: str) -> bool:
        return job_id in self.waiting or job_id in self.running

    def admits(self, priority: int) -> bool:
        """Whether to claim a sidecar of this priority: the queue is short, or it would run
        first. Held jobs do not count."""
        free = [waiting.job for waiting in self.waiting.values() if not waiting.job.held]
        return len(free) < self._jobs.queue or all(priority > job.priority for job in free)

    def add(
        self, job: Job, not_before: float = 0.0, *, avoided: frozenset[str] = frozenset()
    ) -> None:
        """Add a waiting job. It gets no slot of an `avoided` node while another is up."""
        self.members.enter(job)
        self.waiting[job.id] = Waiting(job, not_before, avoided)

    def change(self, job: Job) -> None:
        """Replace a waiting job: it is held now, or has another priority."""
        self.waiting[job.id].job = job

    @property
    def can_start_some(self) -> bool:
        """Whether a job waits that may start as soon as a slot is free."""
        return self.start_pause is None and self.has_free

    @property
    def has_free(self) -> bool:
        """Whether a job waits that is not held."""
        return any(not waiting.job.held for waiting in self.waiting.values())

    def drop(self, job_id: str) -> Job | None:
        """Remove a waiting job from the queue and return it; None when it does not wait."""
        waiting = self.waiting.pop(job_id, None)
        self._delays.forget(job_id)
        self._blame.forget(job_id)
        return waiting.job if waiting else None

    def dispatch(self, now: float) -> Iterator[tuple[Job, Slot]]:
        """Jobs to start now, each with its slot; the caller must call `started` for each."""
        if not self.waiting or self.start_pause is not None:
            return
        sound, suspect = self._free_slots()
        due = [waiting for waiting in self.waiting.values() if waiting.is_due(now)]
        for waiting in self._in_order(due) if sound or suspect else ():
            affinity, admits = waiting.job.affinity, partial(self._admits, now)
            avoided = waiting.avoided if self._is_another_up(waiting.avoided) else frozenset()
            avoided |= self._kept_for_other_trials(waiting.job, due, now)
            slot = sound.take(affinity, admits, avoided) or suspect.take(affinity, admits, avoided)
            if slot is not None:
                yield waiting.job, slot
            elif not avoided:
                return

    def _in_order(self, due: Iterable[Waiting]) -> Iterator[Waiting]:
        """The highest priority first; of the same priority each folder in turn, oldest first."""
        ranked = sorted(due, key=lambda waiting: waiting.rank)
        return self._turns.order(ranked, lambda w: w.job.priority, lambda w: w.job.folder)

    def _kept_for_other_trials(self, job: Job, due: list[Waiting], now: float) -> set[str]:
        """The nodes on which another job should test the device whose breaker is open.

        The device went down during an attempt of `job`, and a job that did not run on it waits.
        """
        kept = {
            name
            for name, breaker in self.breakers.items()
            if breaker.is_culprit(job.id)
            and breaker.admits(now)
            and not all(breaker.is_culprit(waiting.job.id) for waiting in due)
        }
        return {slot.node for slot in self.slots if slot.device in kept}

    def _is_another_up(self, nodes: frozenset[str]) -> bool:
        """Whether `nodes` is empty, or a device of another node is up."""
        others = (slot for slot in self.slots if nodes and slot.node not in nodes)
        return any(not self.breakers[slot.device].is_open for slot in others)

    def _free_slots(self) -> tuple[FreeSlots, FreeSlots]:
        """Free slots: first of nodes without a failure since their last success, then of the
        others.

        A node that died stays listed for a while: its jobs should continue on another node.
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
        avoided = self.waiting.pop(job.id).avoided
        self.running[job.id] = Running(job, slot, avoided=avoided)
        self._warm[slot] = job.affinity
        self.breakers[slot.device].start(job.id)
        self._turns.taken(job.folder)

    def begun(self, job_id: str, now: float) -> None:
        """A worker has taken the job: its time limit counts from now."""
        if running := self.running.get(job_id):
            running.began = running.reported = now

    def progressed(self, job_id: str, now: float, frame: int | None = None) -> None:
        """The job has reported progress; for each `frame` of a film its time limit counts anew."""
        if running := self.running.get(job_id):
            running.reported = now
            if frame != running.frame:
                running.frame, running.began = frame, now

    def overdue(self, now: float) -> Iterator[Running]:
        """Running jobs that reached their time limit, or report no progress; each is yielded
        once."""
        for running in self.running.values():
            if not running.is_ending and running.end_if_overdue(now, self._workers.stall):
                yield running

    def cancel(self, job_id: str) -> None:
        """Somebody cancelled the running job: it will end as cancelled."""
        failure = Failure(code="cancelled", message="cancelled while it was running")
        self.running[job_id].forced_failure = failure

    def stop(self, job_id: str, *, restart: bool = False) -> None:
        """The running job will wait again: to be resumed, or with `restart` from its inputs."""
        running = self.running[job_id]
        if running.stop_decision is not Decision.RESTART:
            running.stop_decision = Decision.RESTART if restart else Decision.REQUEUE

    def resolve(self, outcome: Outcome, now: float) -> Resolution:
        """Remove a running job whose attempt has ended, and decide what happens to it."""
        running = self.running.pop(outcome.job)
        failure = running.failure_of(outcome)
        decision = self._decide(running, outcome, failure)
        delay = self._delays.of(running.job, decision, failure, self._jobs)
        down, up = self._update_breaker(running, outcome, now)
        if decision in (Decision.PUBLISH, Decision.FAIL):
            self._blame.forget(outcome.job)
        avoided = running.avoided
        if failure is not None and failure.code == "out_of_memory":
            avoided |= {running.slot.node}
        return Resolution(running.job, running.slot, decision, failure, delay, down, up, avoided)

    def _decide(self, running: Running, outcome: Outcome, failure: Failure | None) -> Decision:
        if outcome.ending is Ending.FINISHED:
            return Decision.PUBLISH
        if running.forced_failure is not None and not running.forced_failure.retryable:
            return Decision.FAIL
        if running.stop_decision is not None or failure is None:
            return running.stop_decision or Decision.REQUEUE
        is_forgiven = failure.code in _FORGIVEN and not outcome.had_room
        if outcome.at_start or is_forgiven:
            return Decision.REQUEUE
        if failure.retryable and running.job.attempt < self._jobs.attempts:
            return Decision.RETRY
        return Decision.FAIL

    def _update_breaker(
        self, running: Running, outcome: Outcome, now: float
    ) -> tuple[float | None, bool]:
        """Update the breaker of a device after an attempt.

        Returns the pause in seconds if the device went down, and whether it came up again. A worker
        that was killed because it was asked to end says nothing about the device; a hung one does.
        """
        breaker, job = self.breakers[running.slot.device], running.job.id
        if outcome.device_fault:
            self._warm.pop(running.slot, None)
        if outcome.ending is Ending.FINISHED:
            self._blame.did_well(running)
            return None, breaker.success()
        if outcome.device_fault and (running.is_hung or not running.is_ending):
            blame = self._blame.of(running, outcome)
            return breaker.failure(job, now, at_start=outcome.at_start, blame=blame), False
        breaker.release(job)
        return None, False

    @property
    def all_down(self) -> bool:
        """Whether no device is up; also when there is no device."""
        return all(self.breakers[slot.device].is_open for slot in self.slots)

    def is_closed(self, now: float) -> bool:
        """Whether no device accepts a job now: all are down, and it is not time for a trial."""
        return not any(self.breakers[slot.device].admits(now) for slot in self.slots)

    def next_event(self, since: float) -> float:
        """The first time after `since` of a retry, a trial of a device or a time-out."""
        times = [waiting.not_before for waiting in self.waiting.values()]
        times += [breaker.retry_at or 0.0 for breaker in self.breakers.values()]
        for running in self.running.values():
            if not running.is_ending:
                times += running.deadlines(self._workers.stall)
        return min((time for time in times if time > since), default=float("inf"))
