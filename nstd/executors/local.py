"""Worker processes on this machine: one process per slot, each with its own channel.

A worker is started when its slot gets a job, kept for the next jobs, and replaced after a number of
jobs, or when its device may be in a bad state.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nstd.documents.config import Config
from nstd.executors.contract import RELOADED, Assignment, Begun, Event
from nstd.executors.devices import environment, torch_device
from nstd.executors.messages import (
    FROM_WORKER,
    Assign,
    Ended,
    FromWorker,
    Reported,
    Want,
    WorkerReady,
)
from nstd.executors.process import WorkerProcess
from nstd.logs.log import emit
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.slots import Slot
from nstd.system.durable import Files

_REPLACED_AFTER = {"out_of_memory", "device_failed"}
_LAST_WORDS = 0.5
"""Seconds that a worker has to print its stack traces before it is killed."""


@dataclass
class LocalSeat:
    """The worker process of a slot, and its job."""

    process: WorkerProcess[FromWorker]
    ready: bool = False
    job: str | None = None
    order: Assign | None = None  # the assignment, until the worker is ready
    since: float = 0.0  # when the worker was started or got its job
    has_begun: bool = False  # the worker has said that it took the job
    jobs: int = 0
    idle_since: float = 0.0
    kill_at: float | None = None
    asked_where: bool = False
    is_outdated: bool = False  # it was started before the last HUP


class LocalExecutor:
    """Runs attempts in worker processes on this machine."""

    def __init__(self, config: Config, slots: Sequence[Slot], scratch: Path) -> None:
        self._config, self._slots, self._scratch = config, slots, scratch
        self._seats: dict[Slot, LocalSeat] = {}
        self._killed: dict[Slot, WorkerProcess[FromWorker]] = {}  # killed, and not ended yet
        self._ended: list[Outcome] = []  # without a worker to report it

    def open(self) -> None:
        """Nothing to start: workers are started when they are needed."""

    def slots(self) -> Sequence[Slot]:
        """The slots of this machine; the scheduler judges whether their devices work."""
        return self._slots

    def trouble(self) -> str:
        """Always empty: there are always slots."""
        return ""

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Give the job to the slot's worker; start a worker if there is none."""
        try:
            seat = self._warm(slot) or self._spawn(slot)
        except OSError as error:
            message = f"no worker could be started on {slot.name}: {error}"
            self._ended.append(_unable(job.id, slot, message))
            return
        seat.job, seat.since, seat.has_begun = job.id, time.monotonic(), False
        seat.kill_at, seat.asked_where = None, False
        assignment = Assignment.of(job, folder, slot, torch_device(slot), self._config)
        seat.order = Assign(assignment=assignment)
        self._hand_over(seat)

    def _hand_over(self, seat: LocalSeat) -> None:
        """Send the worker its job, once it is ready; until then the job can be withdrawn."""
        if seat.ready and seat.order is not None:
            seat.process.channel.send(seat.order)
            seat.order, seat.since = None, time.monotonic()

    def _warm(self, slot: Slot) -> LocalSeat | None:
        seat = self._seats.get(slot)
        if seat is not None and seat.process.exit_code is not None:
            self._end(slot, "died while idle")
            return None
        if seat is not None:
            seat.process.forget_output()  # of the previous job
        return seat

    def _spawn(self, slot: Slot) -> LocalSeat:
        if (before := self._killed.get(slot)) is not None:
            if before.exit_code is None:
                raise OSError(f"process {before.pid} is still there after SIGKILL")
            del self._killed[slot]
        Files().make_folder(self._scratch)
        output = self._scratch / f"{slot.name.replace('/', '-').replace(':', '-')}.log"
        seat = LocalSeat(WorkerProcess(environment(slot, self._slots), output, FROM_WORKER))
        self._seats[slot] = seat
        return seat

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """Ask the worker to end the attempt; it is killed after the grace period, or at once."""
        self._ask(job_id, Ending.CANCELLED, 0.0 if kill else self._config.workers.grace)

    def stop(self, job_id: str) -> None:
        """Ask the worker to save and end the attempt; it is killed after the grace period."""
        self._ask(job_id, Ending.STOPPED, self._config.workers.grace)

    def _ask(self, job_id: str, wanted: Ending, grace: float) -> None:
        for slot, seat in list(self._seats.items()):
            if seat.job == job_id and seat.order is not None:
                self._withdraw(slot, seat, Outcome(job=job_id, ending=wanted))
            elif seat.job == job_id:
                kill_at = time.monotonic() + grace
                seat.kill_at = kill_at if seat.kill_at is None else min(seat.kill_at, kill_at)
                said: Literal["stop", "cancel"] = "stop" if wanted is Ending.STOPPED else "cancel"
                seat.process.channel.send(Want(job=job_id, wanted=said))

    def _withdraw(self, slot: Slot, seat: LocalSeat, outcome: Outcome) -> None:
        """End a job that no worker has seen; the worker that is starting serves the next job."""
        seat.order = None
        self._free(slot, seat, outcome)
        self._ended.append(outcome)

    def events(self) -> Iterable[Event]:
        """The messages of all workers, and the outcomes of workers that died or were killed."""
        events: list[Event] = [*self._ended]
        self._ended.clear()
        for slot, seat in list(self._seats.items()):
            events += self._events(slot, seat, time.monotonic())
        return events

    def _events(self, slot: Slot, seat: LocalSeat, now: float) -> Iterator[Event]:
        has_ended = seat.process.exit_code is not None  # first: no message is missed
        seat.process.channel.flush()
        try:
            for message in seat.process.channel.receive():
                if self._seats.get(slot) is seat:
                    yield from self._handle(slot, seat, message)
        except ValueError as error:
            yield from self._lost(slot, seat, f"talked nonsense ({error})")
        else:
            if self._seats.get(slot) is seat:
                yield from self._check(slot, seat, now, has_ended)

    def _handle(self, slot: Slot, seat: LocalSeat, message: FromWorker) -> Iterator[Event]:
        """Handle one message; messages about another job than the slot's are ignored."""
        match message:
            case WorkerReady():
                seat.ready = True
                seconds = round(time.monotonic() - seat.process.began, 2)
                pid = seat.process.pid
                emit("worker.started", slot=slot.name, pid=pid, device=slot.device, seconds=seconds)
                self._hand_over(seat)
            case Begun(job=job) if job == seat.job and not seat.has_begun:
                seat.has_begun = True
                yield message
            case Reported(report=report) if report.job == seat.job:
                yield report
            case Ended(outcome=outcome) if outcome.job == seat.job:
                self._free(slot, seat, outcome)
                yield outcome

    def _free(self, slot: Slot, seat: LocalSeat, outcome: Outcome) -> None:
        """The attempt has ended: its worker waits for the next one, or is replaced."""
        seat.job, seat.kill_at, seat.idle_since = None, None, time.monotonic()
        seat.jobs += 1
        failure = outcome.failure
        if outcome.device_fault or (failure is not None and failure.code in _REPLACED_AFTER):
            self._end(slot, "replaced after a failure")
        elif seat.is_outdated:
            self._end(slot, RELOADED)
        elif seat.jobs >= self._config.workers.recycle:
            self._end(slot, f"replaced after {seat.jobs} jobs")

    def _check(self, slot: Slot, seat: LocalSeat, now: float, has_ended: bool) -> Iterator[Outcome]:
        """Handle a worker that died, exceeded its grace period, does not start, or is idle too
        long."""
        process, workers = seat.process, self._config.workers
        process.limit_output()
        if has_ended or process.channel.is_closed:
            yield from self._lost(slot, seat, "died")
        elif seat.kill_at is not None and now >= seat.kill_at:
            if seat.ready and not seat.asked_where:
                process.tell_where()
                seat.kill_at, seat.asked_where = now + _LAST_WORDS, True
            else:
                yield from self._lost(slot, seat, "was killed: it did not stop in time")
        elif seat.job is not None and not seat.has_begun and now - seat.since > workers.start:
            what = "take the job" if seat.ready else "come up"
            yield from self._lost(slot, seat, f"was killed: it did not {what} in time")
        elif seat.job is None and now - seat.idle_since > workers.keep_warm:
            self._end(slot, "idle")

    def _lost(self, slot: Slot, seat: LocalSeat, what: str) -> Iterator[Outcome]:
        ending, tail = self._end(slot, what), seat.process.tail()
        if seat.job is None:
            return
        message = f"the worker on {slot.name} {what} ({ending})"
        if not seat.has_begun:
            yield _unable(seat.job, slot, message, tail)
            return
        hint = "out of memory? a crashing backend? `detail` has its last words"
        failure = Failure(code="worker_died", message=message, hint=hint, detail=tail)
        yield Outcome(job=seat.job, ending=Ending.FAILED, failure=failure, device_fault=True)

    def _end(self, slot: Slot, reason: str) -> str:
        process = self._seats.pop(slot).process
        was_gone = process.exit_code is not None
        process.kill()
        if process.exit_code is None:
            self._killed[slot] = process
        ending = process.ending
        # That we killed it is no news: idle workers have nothing that they could lose.
        told = {"exit": ending} if was_gone else {}
        emit("worker.ended", slot=slot.name, pid=process.pid, reason=reason, **told)
        return ending

    def waitables(self) -> Sequence[Any]:
        """The channels: a message or the end of a process makes one readable."""
        return [seat.process.channel for seat in self._seats.values()]

    def configure(self, config: Config) -> None:
        """New settings count from the next attempt on, which a new worker makes.

        So a plug-in that was changed or updated is used: a process imports it once.
        """
        self._config = config
        for slot, seat in list(self._seats.items()):
            seat.is_outdated = True
            if seat.job is None:
                self._end(slot, RELOADED)

    def close(self) -> None:
        """Kill all workers."""
        for slot in list(self._seats):
            self._end(slot, "the daemon ends")


def _unable(job: str, slot: Slot, message: str, tail: str = "") -> Outcome:
    """The outcome of an attempt that did not begin, because no worker took the job."""
    failure = Failure(
        code="device_failed",
        message=message,
        hint=f"see `nstd doctor` about {slot.device}; `detail` has the worker's last words",
        detail=tail,
    )
    return Outcome(job=job, ending=Ending.FAILED, failure=failure, device_fault=True, at_start=True)
