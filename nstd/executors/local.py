"""Worker processes of this machine: one spawned process per slot, each with its own pipe.

A worker is started when its slot gets a job, kept warm for the next one, and replaced after so
many jobs or whenever its device may be in a bad state.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nstd.config import Config
from nstd.devices import Slot, environment, torch_device
from nstd.executor import Assignment, Event, Report
from nstd.executors.process import WorkerProcess
from nstd.job import Ending, Failure, Job, Outcome
from nstd.log import emit

_REPLACED_AFTER = {"out_of_memory", "device_failed"}


@dataclass
class Seat:
    """What a slot's process is doing."""

    process: WorkerProcess
    ready: bool = False
    job: str | None = None
    jobs: int = 0
    idle_since: float = 0.0
    kill_at: float | None = None


class LocalExecutor:
    """The pool of this machine."""

    def __init__(self, config: Config, slots: Sequence[Slot], scratch: Path) -> None:
        self._config, self._slots, self._scratch = config, slots, scratch
        self._seats: dict[Slot, Seat] = {}
        scratch.mkdir(parents=True, exist_ok=True)

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Hand the job to the slot's process; spawn one if there is none."""
        seat = self._seats.get(slot)
        if seat is not None and seat.process.exit_code is not None:
            self._end(slot, "died while idle")
            seat = None
        if seat is None:
            pinned = environment(slot, self._slots)
            output = self._scratch / f"{slot.name.replace('/', '-').replace(':', '-')}.log"
            seat = self._seats[slot] = Seat(WorkerProcess(pinned, output))
        seat.job, seat.kill_at = job.id, None
        assignment = Assignment.of(job, folder, slot, torch_device(slot), self._config)
        seat.process.send({"assignment": assignment.model_dump(mode="json")})

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """Ask the worker to end the attempt; it is killed after the grace, or at once."""
        self._ask(job_id, "cancel", 0.0 if kill else self._config.workers.grace)

    def stop(self, job_id: str) -> None:
        """Ask the worker to save and end the attempt; it is killed after the grace."""
        self._ask(job_id, "stop", self._config.workers.grace)

    def _ask(self, job_id: str, wanted: str, grace: float) -> None:
        for seat in self._seats.values():
            if seat.job == job_id:
                seat.kill_at = time.monotonic() + grace
                seat.process.send({"wanted": wanted})

    def events(self) -> Iterable[Event]:
        """Messages of all workers, and the ends of those that died or had to be killed."""
        return [event for slot in list(self._seats) for event in self._events(slot)]

    def _events(self, slot: Slot) -> Iterator[Event]:
        seat, now = self._seats[slot], time.monotonic()
        for message in seat.process.messages():
            if "ready" in message:
                seat.ready = True
                seconds = round(now - seat.process.began, 2)
                pid = seat.process.pid
                emit("worker.started", slot=slot.name, pid=pid, device=slot.device, seconds=seconds)
            elif "report" in message:
                yield Report.model_validate(message["report"])
            else:
                yield self._ended(slot, seat, Outcome.model_validate(message["outcome"]))
        if self._seats.get(slot) is seat:
            yield from self._check(slot, seat, now)

    def _ended(self, slot: Slot, seat: Seat, outcome: Outcome) -> Outcome:
        seat.job, seat.kill_at, seat.idle_since = None, None, time.monotonic()
        seat.jobs += 1
        failure = outcome.failure
        if outcome.device_fault or (failure is not None and failure.code in _REPLACED_AFTER):
            self._end(slot, "replaced after a failure")
        elif seat.jobs >= self._config.workers.recycle:
            self._end(slot, f"replaced after {seat.jobs} jobs")
        return outcome

    def _check(self, slot: Slot, seat: Seat, now: float) -> Iterator[Outcome]:
        """A worker that died, is past its grace, does not come up, or idles too long."""
        workers = self._config.workers
        if seat.process.exit_code is not None or seat.process.is_deaf:
            yield from self._lost(slot, seat, "died")
        elif seat.kill_at is not None and now >= seat.kill_at:
            yield from self._lost(slot, seat, "killed: it did not stop in time")
        elif not seat.ready and now - seat.process.began > workers.start:
            yield from self._lost(slot, seat, "killed: it did not come up in time")
        elif seat.job is None and now - seat.idle_since > workers.keep_warm:
            self._end(slot, "idle")

    def _lost(self, slot: Slot, seat: Seat, what: str) -> Iterator[Outcome]:
        ending, tail = self._end(slot, what), seat.process.tail()
        if seat.job is None:
            return
        failure = Failure(
            code="worker_died" if seat.ready else "device_failed",
            message=f"the worker on {slot.name} {what} ({ending})",
            hint="out of memory? a crashing backend? `detail` has its last words",
            detail=tail,
        )
        yield Outcome(
            job=seat.job,
            ending=Ending.FAILED,
            failure=failure,
            device_fault=True,
            at_start=not seat.ready,
        )

    def _end(self, slot: Slot, reason: str) -> str:
        process = self._seats.pop(slot).process
        process.kill()
        ending = process.ending
        emit("worker.ended", slot=slot.name, pid=process.pid, reason=reason, exit=ending)
        return ending

    def waitables(self) -> Sequence[Any]:
        """The pipes: a message or the end of a process makes one readable."""
        return [seat.process.pipe for seat in self._seats.values()]

    def configure(self, config: Config) -> None:
        """New settings count from the next attempt on."""
        self._config = config

    def close(self) -> None:
        """Kill all workers."""
        for slot in list(self._seats):
            self._end(slot, "the daemon ends")
