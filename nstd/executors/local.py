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
from nstd.executors.devices import environment, share_of, torch_device
from nstd.executors.messages import (
    FROM_WORKER,
    Assign,
    EndAttempt,
    Ended,
    FromWorker,
    Reported,
    WorkerReady,
)
from nstd.executors.process import WorkerProcess
from nstd.executors.trials import DeviceTrial
from nstd.logs.log import emit
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.slots import Slot
from nstd.system.cpus import started_on
from nstd.system.durable import Files
from nstd.system.units import counted

_REPLACED_AFTER = {"out_of_memory", "device_failed"}
_LAST_WORDS = 0.5
"""Seconds that a worker may take to print its stacks before it is killed."""


@dataclass
class SlotWorker:
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
    has_dumped_stacks: bool = False
    is_outdated: bool = False  # it was started before the last HUP


class LocalExecutor:
    """Runs attempts in worker processes on this machine."""

    def __init__(
        self,
        config: Config,
        slots: Sequence[Slot],
        scratch: Path,
        trials: Sequence[DeviceTrial] = (),
    ) -> None:
        """`trials` are those of accelerators, by which `slots` were chosen."""
        self._config, self._slots, self._scratch = config, slots, scratch
        self._trials = trials
        self._workers: dict[Slot, SlotWorker] = {}
        self._killed: dict[Slot, WorkerProcess[FromWorker]] = {}  # killed, and not ended yet
        self._ended: list[Outcome] = []  # without a worker to report it

    def open(self) -> None:
        """Log the trials. Nothing to start: workers are started when they are needed."""
        for trial in self._trials:
            emit("device.tried", **trial.fields())

    def slots(self) -> Sequence[Slot]:
        """The slots of this machine; the scheduler judges whether their devices work."""
        return self._slots

    def why_no_slots(self) -> str:
        """Always empty: there are always slots."""
        return ""

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Give the job to the slot's worker; start a worker if there is none."""
        try:
            worker = self._warm(slot) or self._spawn(slot)
        except OSError as error:
            message = f"no worker could be started on {slot.name}: {error}"
            self._ended.append(_no_worker_outcome(job.id, slot, message))
            return
        worker.job, worker.since, worker.has_begun = job.id, time.monotonic(), False
        worker.kill_at, worker.has_dumped_stacks = None, False
        assignment = Assignment.of(job, folder, slot, torch_device(slot), self._config)
        worker.order = Assign(assignment=assignment)
        self._send_order(worker)

    def _send_order(self, worker: SlotWorker) -> None:
        """Send the worker its job, once it is ready; until then the job can be withdrawn."""
        if worker.ready and worker.order is not None:
            worker.process.channel.send(worker.order)
            worker.order, worker.since = None, time.monotonic()

    def _warm(self, slot: Slot) -> SlotWorker | None:
        worker = self._workers.get(slot)
        if worker is not None and worker.process.exit_code is not None:
            self._end(slot, "died while idle")
            return None
        if worker is not None:
            worker.process.forget_output()  # of the previous job
        return worker

    def _spawn(self, slot: Slot) -> SlotWorker:
        if (before := self._killed.get(slot)) is not None:
            if before.exit_code is None:
                raise OSError(f"process {before.pid} is still there after SIGKILL")
            del self._killed[slot]
        Files().make_folder(self._scratch)
        output = self._scratch / f"{slot.name.replace('/', '-').replace(':', '-')}.log"
        cpus = share_of(slot, self._slots).cpus if slot.kind == "cpu" else None
        with started_on(cpus):
            process = WorkerProcess(environment(slot, self._slots), output, FROM_WORKER)
        worker = SlotWorker(process)
        self._workers[slot] = worker
        return worker

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """Ask the worker to end the attempt; it is killed after the grace period, or at once."""
        self._request_end(job_id, Ending.CANCELLED, 0.0 if kill else self._config.workers.grace)

    def stop(self, job_id: str) -> None:
        """Ask the worker to save and end the attempt; it is killed after the grace period."""
        self._request_end(job_id, Ending.STOPPED, self._config.workers.grace)

    def _request_end(self, job_id: str, ending: Ending, grace: float) -> None:
        for slot, worker in list(self._workers.items()):
            if worker.job == job_id and worker.order is not None:
                self._end_unstarted(slot, worker, Outcome(job=job_id, ending=ending))
            elif worker.job == job_id:
                kill_at = time.monotonic() + grace
                worker.kill_at = kill_at if worker.kill_at is None else min(worker.kill_at, kill_at)
                how: Literal["stop", "cancel"] = "stop" if ending is Ending.STOPPED else "cancel"
                worker.process.channel.send(EndAttempt(job=job_id, how=how))

    def _end_unstarted(self, slot: Slot, worker: SlotWorker, outcome: Outcome) -> None:
        """End a job that no worker has seen; the worker that is starting serves the next job."""
        worker.order = None
        self._attempt_ended(slot, worker, outcome)
        self._ended.append(outcome)

    def events(self) -> Iterable[Event]:
        """The messages of all workers, and the outcomes of workers that died or were killed."""
        events: list[Event] = [*self._ended]
        self._ended.clear()
        for slot, worker in list(self._workers.items()):
            events += self._events(slot, worker, time.monotonic())
        return events

    def _events(self, slot: Slot, worker: SlotWorker, now: float) -> Iterator[Event]:
        has_ended = worker.process.exit_code is not None  # first: no message is missed
        worker.process.channel.flush()
        try:
            for message in worker.process.channel.receive():
                if self._workers.get(slot) is worker:
                    yield from self._handle(slot, worker, message)
        except ValueError as error:
            yield from self._lost(slot, worker, f"talked nonsense ({error})")
        else:
            if self._workers.get(slot) is worker:
                yield from self._check(slot, worker, now, has_ended)

    def _handle(self, slot: Slot, worker: SlotWorker, message: FromWorker) -> Iterator[Event]:
        """Handle one message; messages about another job than the slot's are ignored."""
        match message:
            case WorkerReady():
                worker.ready = True
                seconds = round(time.monotonic() - worker.process.began, 2)
                pid = worker.process.pid
                emit("worker.started", slot=slot.name, pid=pid, device=slot.device, seconds=seconds)
                self._send_order(worker)
            case Begun(job=job) if job == worker.job and not worker.has_begun:
                worker.has_begun = True
                yield message
            case Reported(report=report) if report.job == worker.job:
                yield report
            case Ended(outcome=outcome) if outcome.job == worker.job:
                self._attempt_ended(slot, worker, outcome)
                yield outcome

    def _attempt_ended(self, slot: Slot, worker: SlotWorker, outcome: Outcome) -> None:
        """The attempt has ended: its worker waits for the next one, or is replaced."""
        worker.job, worker.kill_at, worker.idle_since = None, None, time.monotonic()
        worker.jobs += 1
        failure = outcome.failure
        if outcome.device_fault or (failure is not None and failure.code in _REPLACED_AFTER):
            self._end(slot, "replaced after a failure")
        elif worker.is_outdated:
            self._end(slot, RELOADED)
        elif worker.jobs >= self._config.workers.recycle:
            self._end(slot, f"replaced after {counted(worker.jobs, 'job')}")

    def _check(
        self, slot: Slot, worker: SlotWorker, now: float, has_ended: bool
    ) -> Iterator[Outcome]:
        """Handle a worker that died, exceeded its grace period, does not start, or is idle too
        long."""
        process, workers = worker.process, self._config.workers
        process.limit_output()
        if has_ended or process.channel.is_closed:
            yield from self._lost(slot, worker, "died")
        elif worker.kill_at is not None and now >= worker.kill_at:
            if worker.ready and not worker.has_dumped_stacks:
                process.dump_stacks()
                worker.kill_at, worker.has_dumped_stacks = now + _LAST_WORDS, True
            else:
                yield from self._lost(slot, worker, "was killed: it did not stop in time")
        elif worker.job is not None and not worker.has_begun and now - worker.since > workers.start:
            what = "take the job" if worker.ready else "come up"
            yield from self._lost(slot, worker, f"was killed: it did not {what} in time")
        elif worker.job is None and now - worker.idle_since > workers.keep_warm:
            self._end(slot, "idle")

    def _lost(self, slot: Slot, worker: SlotWorker, what: str) -> Iterator[Outcome]:
        ending, tail = self._end(slot, what), worker.process.tail()
        if worker.job is None:
            return
        message = f"the worker on {slot.name} {what} ({ending})"
        if not worker.has_begun:
            yield _no_worker_outcome(worker.job, slot, message, tail)
            return
        hint = "out of memory? a crashing backend? `detail` has its last words"
        failure = Failure(code="worker_died", message=message, hint=hint, detail=tail)
        yield Outcome(job=worker.job, ending=Ending.FAILED, failure=failure, device_fault=True)

    def _end(self, slot: Slot, reason: str) -> str:
        process = self._workers.pop(slot).process
        was_gone = process.exit_code is not None
        process.kill()
        if process.exit_code is None:
            self._killed[slot] = process
        ending = process.ending
        # If we killed it, how it ended says nothing.
        exit_field = {"exit": ending} if was_gone else {}
        emit("worker.ended", slot=slot.name, pid=process.pid, reason=reason, **exit_field)
        return ending

    def waitables(self) -> Sequence[Any]:
        """The channels: a message or the end of a process makes one readable."""
        return [worker.process.channel for worker in self._workers.values()]

    def configure(self, config: Config) -> None:
        """Take over new settings for the next attempts, which run in new workers.

        A process imports a plug-in only once, so only a new one uses a plug-in that has changed.
        """
        self._config = config
        for slot, worker in list(self._workers.items()):
            worker.is_outdated = True
            if worker.job is None:
                self._end(slot, RELOADED)

    def close(self) -> None:
        """Kill all workers."""
        for slot in list(self._workers):
            self._end(slot, "the daemon ends")


def _no_worker_outcome(job: str, slot: Slot, message: str, tail: str = "") -> Outcome:
    """The outcome of an attempt that did not begin, because no worker took the job."""
    failure = Failure(
        code="device_failed",
        message=message,
        hint=f"see `nstd doctor` about {slot.device}; `detail` has the worker's last words",
        detail=tail,
    )
    return Outcome(job=job, ending=Ending.FAILED, failure=failure, device_fault=True, at_start=True)
