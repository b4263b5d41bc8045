"""The executor for a Ray cluster: a driver process, started again when the cluster was lost."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterable, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal

from nstd.documents.config import Config
from nstd.errors import ClusterError
from nstd.executors.cluster.messages import (
    FROM_DRIVER,
    ClusterFailed,
    Connect,
    FromDriver,
    PlacesFound,
    Reload,
    RemoteWorkerEnded,
    RemoteWorkerStarted,
    RunAttempt,
)
from nstd.executors.cluster.places import chosen, resources_per_job
from nstd.executors.contract import Assignment, Begun, Event
from nstd.executors.messages import EndAttempt, Ended, Reported
from nstd.executors.process import WorkerProcess
from nstd.logs.log import emit
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.slots import Slot
from nstd.system.backoff import backoff
from nstd.system.durable import Files

CONNECT = 60.0
"""The time limit for joining the cluster, in seconds."""
SILENCE = 15.0
"""Seconds without a message from the driver, after which the cluster counts as lost."""
_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_MODULE = "nstd.executors.cluster.driver"
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}


class RayExecutor:
    """Runs attempts on the nodes of the cluster that the config names."""

    def __init__(self, config: Config, scratch: Path) -> None:
        self._config, self._settings, self._scratch = config, config.executor, scratch
        self._driver: WorkerProcess[FromDriver] | None = None
        self._heard_at = 0.0
        self._retry_at, self._failures = 0.0, 0
        self._slots: list[Slot] = []
        self._why_no_slots = "the cluster has not answered yet"
        self._running: dict[str, Slot] = {}
        self._events: list[Event] = []
        self._logged = (-1, -1)  # nodes and slots, as last logged

    def open(self) -> None:
        """Join the cluster and wait for its places. Raises ClusterError when it cannot be used."""
        if importlib.util.find_spec("ray") is None:
            message, hint = "ray is not installed", "pip install 'nstd[ray]', with this Python"
            raise ClusterError("cluster_failed", message, hint)
        self._start_driver()
        deadline = time.monotonic() + CONNECT
        while self._driver is not None and not self._is_joined:
            wait(self.waitables(), max(0.0, deadline - time.monotonic()))
            self._listen()
        if self._driver is None:
            raise ClusterError("cluster_failed", self._why_no_slots, _hint(self._why_no_slots))

    @property
    def _is_joined(self) -> bool:
        return self._heard_at > 0.0 and not self._failures

    def _start_driver(self) -> None:
        self._heard_at = 0.0
        try:
            Files().make_folder(self._scratch)
            output = self._scratch / "ray-driver.log"
            self._driver = WorkerProcess(_ENVIRONMENT, output, FROM_DRIVER, _MODULE)
        except OSError as error:
            self._back_off(f"its driver could not be started: {error}")
            return
        self._driver.channel.send(Connect(settings=self._settings))

    def slots(self) -> Sequence[Slot]:
        """A slot for each place of the cluster."""
        return self._slots

    def why_no_slots(self) -> str:
        """Why there is no place: the cluster is lost, or no node has the resources that a job
        needs."""
        return "" if self._slots else self._why_no_slots

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Send the job to the driver."""
        self._running[job.id] = slot
        if self._driver is None:
            self._end(job.id, _lost(job.id, self._why_no_slots))
            return
        if job.film is not None:
            self._end(job.id, _no_film(job.id))
            return
        device = "cuda:0" if self._settings.num_gpus else "cpu"
        assignment = Assignment.of(job, folder, slot, device, self._config)
        workers = self._config.workers
        order = RunAttempt(assignment=assignment, device=slot.device, workers=workers)
        self._driver.channel.send(order)

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """Ask the attempt to end; its worker is killed after the grace period, or at once."""
        self._request_end(job_id, "cancel", 0.0 if kill else self._config.workers.grace)

    def stop(self, job_id: str) -> None:
        """Ask the attempt to save and end; its worker is killed after the grace period."""
        self._request_end(job_id, "stop", self._config.workers.grace)

    def _request_end(self, job_id: str, what: Literal["cancel", "stop"], grace: float) -> None:
        if self._driver is not None and job_id in self._running:
            self._driver.channel.send(EndAttempt(job=job_id, how=what, grace=grace))

    def events(self) -> Iterable[Event]:
        """The events from the driver. A driver that ended or is silent is replaced after a
        pause."""
        if self._driver is not None:
            self._listen()
        elif time.monotonic() >= self._retry_at:
            self._start_driver()
        events, self._events = self._events, []
        return events

    def _listen(self) -> None:
        """Handle the messages that have arrived, also the last ones of a driver that has ended."""
        driver = self._driver
        if driver is None:
            return
        has_ended = driver.exit_code is not None
        driver.channel.flush()
        driver.limit_output()
        try:
            for message in driver.channel.receive():
                self._handle(message)
        except ValueError as error:
            self._lose(f"the driver talked nonsense ({error})")
        if driver is not self._driver:
            return
        if has_ended or driver.channel.is_closed:
            self._lose(f"the driver of the cluster ended ({driver.ending})")
        elif time.monotonic() > (self._heard_at or driver.began) + self._patience:
            self._lose(f"no answer in {self._patience:g} s")

    @property
    def _patience(self) -> float:
        return SILENCE if self._heard_at else CONNECT

    def _handle(self, message: FromDriver) -> None:
        if isinstance(message, ClusterFailed):
            self._lose(message.reason)
        if self._driver is None:  # ignore messages that come after its failure
            return
        match message:
            case PlacesFound():
                self._take_places(message)
            case Begun(job=job) if job in self._running:
                self._events.append(message)
            case Reported(report=report) if report.job in self._running:
                self._events.append(report)
            case Ended(outcome=outcome) if outcome.job in self._running:
                self._end(outcome.job, outcome)
            case RemoteWorkerStarted(device=device, pid=pid, seconds=seconds):
                name = Slot(device, 0).name
                emit("worker.started", slot=name, device=device, pid=pid, seconds=seconds)
            case RemoteWorkerEnded(device=device, pid=pid, reason=reason):
                name = Slot(device, 0).name
                emit("worker.ended", slot=name, device=device, pid=pid, reason=reason)

    def _take_places(self, message: PlacesFound) -> None:
        """Take over the current places; logged when they change, and when there are none."""
        self._failures, self._heard_at = 0, time.monotonic()
        before = [slot.device for slot in self._slots]
        running = [slot.device for slot in self._running.values()]
        devices = chosen(message.places, before, running, self._settings.jobs)
        slots = [Slot(device, 0) for device in devices]
        asked = ", ".join(
            f"{amount:g} {name}" for name, amount in resources_per_job(self._settings).items()
        )
        self._why_no_slots = f"no node of the cluster has {asked} for a job"
        now = message.nodes, len(slots)
        if now != self._logged or slots != self._slots:
            emit("cluster.changed", address=self._settings.address, nodes=now[0], slots=now[1])
        if slots != self._slots:  # comparing the same list object is fast
            self._slots = slots
        self._logged = now

    def _lose(self, reason: str) -> None:
        """The cluster is lost: running attempts end with `cluster_lost`, and a new try follows."""
        if self._driver is None:
            return
        self._driver.kill()
        detail = self._driver.tail()
        self._driver = None
        self._back_off(reason)
        if self._slots or self._running:
            emit("cluster.lost", address=self._settings.address, reason=reason)
        self._slots, self._logged = [], (-1, -1)
        for job in list(self._running):
            self._end(job, _lost(job, self._why_no_slots, detail))

    def _back_off(self, reason: str) -> None:
        """Try again after a pause, which doubles each time until there are places again."""
        self._failures += 1
        self._retry_at = time.monotonic() + backoff(self._failures, _PAUSE, _LONGEST_PAUSE)
        self._why_no_slots = (
            f"the Ray cluster at {self._settings.address} is out of reach: {reason}"
        )

    def _end(self, job: str, outcome: Outcome) -> None:
        self._running.pop(job, None)
        self._events.append(outcome)

    def waitables(self) -> Sequence[Any]:
        """The driver's channel."""
        return [] if self._driver is None else [self._driver.channel]

    def configure(self, config: Config) -> None:
        """Take over new settings for the next attempts, which new workers make; those of the
        cluster do not change."""
        self._config = config
        if self._driver is not None:
            self._driver.channel.send(Reload())

    def close(self) -> None:
        """Kill the driver; Ray then ends its workers."""
        if self._driver is not None:
            self._driver.kill()
            self._driver = None


def _no_film(job: str) -> Outcome:
    """The outcome for a film, whose frames would have to be kept on a node."""
    failure = Failure(
        code="picture_refused",
        message="a film is not made on a Ray cluster",
        hint="let a daemon with `executor: {kind: local}` make it, with an inbox of its own",
    )
    return Outcome(job=job, ending=Ending.FAILED, failure=failure)


def _lost(job: str, reason: str, detail: str = "") -> Outcome:
    """The outcome of an attempt whose worker or cluster is lost."""
    hint = "the job waits until the cluster is back"
    failure = Failure(code="cluster_lost", message=reason, hint=hint, detail=detail)
    return Outcome(job=job, ending=Ending.FAILED, failure=failure)


def _hint(why_no_slots: str) -> str:
    """The hint for a cluster that cannot be joined."""
    if "ersion mismatch" in why_no_slots:
        return "install the same Ray and Python on the daemon's machine and on all nodes"
    return "start the head with `ray start --head`, or mend executor.address"
