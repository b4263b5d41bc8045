"""One place of the cluster, as the driver sees it: its worker and the attempt that it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nstd import __version__
from nstd.documents.settings import WorkerSettings
from nstd.executors.cluster.messages import (
    NEWS,
    FileWritten,
    FromDriver,
    RemoteWorkerEnded,
    RemoteWorkerStarted,
    RunAttempt,
)
from nstd.executors.cluster.node import NodeWorker
from nstd.executors.cluster.pictures import PictureStore
from nstd.executors.cluster.places import Place
from nstd.executors.contract import Begun
from nstd.executors.devices import CPU_TUNING
from nstd.executors.messages import Ended, Reported
from nstd.executors.worker.failures import as_failure
from nstd.queue.job import Ending, Failure, Outcome
from nstd.system.durable import Files

_NEWS_PATIENCE = 5.0
_REPLACED_AFTER = {"out_of_memory", "device_failed"}
Pieces = dict[str, Any]
"""References to the files of a job in Ray's store, by name."""
_ENDINGS = {"cancel": Ending.CANCELLED, "stop": Ending.STOPPED}


class NoWorkerError(Exception):
    """No worker at this place has taken the job."""


class RemoteWorker:
    """Keeps one warm worker at a place and runs one attempt at a time on it."""

    def __init__(
        self,
        place: Place,
        asked: Mapping[str, float],
        send: Callable[[FromDriver], None],
        check_cluster: Callable[[], Awaitable[None]],
        pictures: PictureStore,
    ) -> None:
        self.place, self._asked, self._send = place, asked, send
        self._check_cluster, self._pictures = check_cluster, pictures
        self._files = Files()
        self._actor: Any = None
        self._requested_at, self._pid = 0.0, 0  # the process id is known once it has answered
        self._jobs = 0
        self._idle_since, self._keep_warm = 0.0, 0.0
        self._job: str | None = None
        self._preparing: asyncio.Task[Pieces] | None = None
        self._has_begun = False
        self._end_requested: str | None = None
        self._killer: asyncio.TimerHandle | None = None
        self._killed = ""

    def run(self, order: RunAttempt) -> Coroutine[Any, Any, None]:
        """Run the attempt; it ends with exactly one outcome.

        It can be asked to end as soon as this is called. When the whole cluster is lost, it ends
        with the error of `check_cluster`.
        """
        self._job, self._has_begun = order.assignment.job.id, False
        self._end_requested, self._killed = None, ""
        self._preparing = asyncio.ensure_future(self._prepare(order))
        return self._run(order, self._preparing)

    async def _run(self, order: RunAttempt, preparing: asyncio.Task[Pieces]) -> None:
        job = order.assignment.job
        try:
            outcome = await self._attempt(order, preparing)
        except (RayError, NoWorkerError) as error:
            if not self._killed:
                await self._check_cluster()
            outcome = self._lost_outcome(job.id, error)
        except OSError as error:  # our own disk
            self._end("what came back could not be written")
            failure = as_failure(error, job.backend)
            outcome = Outcome(job=job.id, ending=Ending.FAILED, failure=failure)
        self._attempt_ended(outcome, order.workers)
        self._send(Ended(outcome=outcome))

    async def _prepare(self, order: RunAttempt) -> Pieces:
        """Wait for a worker that answers, and put the files of the job into the store."""
        patience = order.workers.start
        await self._ready(patience)
        files = asyncio.to_thread(self._pictures.of, order.assignment.job, order.assignment.folder)
        try:
            return await asyncio.wait_for(files, patience)
        except TimeoutError:
            raise NoWorkerError(f"Ray did not store its pictures in {patience:g} s") from None

    async def _attempt(self, order: RunAttempt, preparing: asyncio.Task[Pieces]) -> Outcome:
        assignment = order.assignment
        folder = assignment.folder
        await asyncio.gather(preparing, return_exceptions=True)
        if self._end_requested is not None:  # no worker has the job yet: do not start it
            return Outcome(job=assignment.job.id, ending=_ENDINGS[self._end_requested])
        files = preparing.result()
        told = assignment.model_dump(mode="json")
        begin = self._actor.begin.remote(told, list(files), *files.values())
        try:
            await asyncio.wait_for(begin, order.workers.start)
        except TimeoutError:
            raise NoWorkerError(f"it did not take the job in {order.workers.start:g} s") from None
        self._has_begun = True
        self._send(Begun(job=assignment.job.id))
        if self._end_requested is not None:
            self._actor.end_attempt.remote(assignment.job.id, self._end_requested)
        while True:
            for told in await self._actor.news.remote(_NEWS_PATIENCE):
                match NEWS.validate_python(told):
                    case Ended(outcome=outcome):
                        return outcome
                    case Reported() as report:
                        self._send(report)
                    case FileWritten() as file:
                        await self._write(file, folder)

    async def _write(self, file: FileWritten, folder: Path) -> None:
        """Write a file of the job. A disk error is ignored only for a preview."""
        try:
            path = folder / Path(file.name).name
            await asyncio.to_thread(self._files.write, path, file.data, durable=file.durable)
        except OSError:
            if file.durable:
                raise

    async def _ready(self, patience: float) -> None:
        """Wait for a worker that answers. A kept worker is checked too: its node may be lost."""
        if self._pid:
            try:
                await asyncio.wait_for(self._actor.hello.remote(), patience)
                return
            except (RayActorError, GetTimeoutError, TimeoutError):
                self._end("died while idle")
        if self._actor is None:  # else one is still starting, for a withdrawn job
            self._actor, self._requested_at = self._start_actor(), time.monotonic()
        try:
            hello = await asyncio.wait_for(self._actor.hello.remote(), patience)
        except TimeoutError:
            raise NoWorkerError(
                f"Ray did not start it in {patience:g} s; see `ray status`"
            ) from None
        if hello["version"] != __version__:
            theirs = f"it is nstd {hello['version']}, the daemon is {__version__}"
            raise NoWorkerError(f"{theirs}: install the same on all nodes")
        self._pid = hello["pid"]
        seconds = round(time.monotonic() - self._requested_at, 2)
        self._send(RemoteWorkerStarted(device=self.place.device, pid=self._pid, seconds=seconds))

    def _start_actor(self) -> Any:
        """Ask Ray for a worker; it starts later, and Ray never restarts it."""
        hire: Any = ray.remote
        others = {k: v for k, v in self._asked.items() if k not in {"CPU", "GPU", "memory"}}
        options = {
            "num_cpus": self._asked.get("CPU", 0),
            "num_gpus": self._asked.get("GPU", 0),
            "memory": self._asked.get("memory"),
            "resources": others,
            "max_restarts": 0,
            "max_task_retries": 0,
            "max_concurrency": 4,
            "runtime_env": {} if "GPU" in self._asked else {"env_vars": CPU_TUNING},
        }
        if not self.place.node:
            raise NoWorkerError("its node has left the cluster")
        there = NodeAffinitySchedulingStrategy(self.place.node, soft=False)
        return hire(**options)(NodeWorker).options(scheduling_strategy=there).remote()

    # What the daemon wants

    def end_attempt(self, job: str, how: str, grace: float) -> None:
        """Ask the attempt of `job` to stop or cancel itself; its worker is killed after `grace` s.

        An attempt that no worker has yet ends at once; the worker serves the next job.
        """
        if job != self._job:
            return
        self._end_requested = how
        if self._preparing is not None and self._preparing.cancel():
            return
        if self._has_begun:
            self._actor.end_attempt.remote(job, how)
        due = asyncio.get_running_loop().time() + grace
        if self._killer is None or due < self._killer.when():
            self._forget_killer()
            loop = asyncio.get_running_loop()
            self._killer = loop.call_at(due, self._kill, "was killed: it did not stop in time")

    def _kill(self, why: str) -> None:
        self._killed = why
        if self._actor is not None:
            ray.kill(self._actor, no_restart=True)  # pending calls raise an error

    def _forget_killer(self) -> None:
        if self._killer is not None:
            self._killer.cancel()
            self._killer = None

    # The end of an attempt, and of a worker

    def _lost_outcome(self, job: str, error: Exception) -> Outcome:
        """The outcome when the worker did not start, died, or was killed."""
        self._end("lost")
        what = self._killed or ("died" if self._has_begun else "did not take the job")
        message = f"the worker on {self.place.device} {what}"
        failure = Failure(
            code="worker_died" if self._has_begun else "device_failed",
            message=message if self._killed else f"{message}: {_first_line(error)}",
            hint="`detail` has what Ray says; `ray status` shows the nodes",
            detail=str(error),
        )
        return Outcome(
            job=job,
            ending=Ending.FAILED,
            failure=failure,
            device_fault=True,
            at_start=not self._has_begun,
        )

    def _attempt_ended(self, outcome: Outcome, workers: WorkerSettings) -> None:
        """The attempt has ended: its worker waits for the next one, or is replaced."""
        self._forget_killer()
        self._job, self._idle_since = None, time.monotonic()
        self._keep_warm = workers.keep_warm
        self._jobs += 1
        failure = outcome.failure
        if outcome.device_fault or (failure is not None and failure.code in _REPLACED_AFTER):
            self._end("replaced after a failure")
        elif self._jobs >= workers.recycle:
            self._end(f"replaced after {self._jobs} jobs")

    def end_if_idle(self) -> None:
        """End a worker that has been idle for some time, to free the node's resources."""
        if self._job is None and time.monotonic() - self._idle_since > self._keep_warm:
            self._end("idle")

    def _end(self, reason: str) -> None:
        if self._actor is None:
            return
        ray.kill(self._actor, no_restart=True)
        self._actor, self._jobs = None, 0
        if self._pid:
            self._send(RemoteWorkerEnded(device=self.place.device, pid=self._pid, reason=reason))
        self._pid = 0


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
