"""One place of the cluster, as the driver sees it: its worker and the attempt that it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from ray.exceptions import RayError

from nstd.documents.settings import WorkerSettings
from nstd.executors.cluster.actor import NoWorkerError, PlaceActor
from nstd.executors.cluster.messages import (
    FROM_NODE,
    FileWritten,
    FromDriver,
    RunAttempt,
)
from nstd.executors.cluster.pictures import PictureStore
from nstd.executors.cluster.places import Place
from nstd.executors.contract import RELOADED, Assignment, Begun
from nstd.executors.messages import Ended, Reported
from nstd.executors.worker.failures import as_failure
from nstd.queue.job import Ending, Failure, Outcome
from nstd.system.durable import Files
from nstd.system.units import counted

_POLL_SECONDS = 5.0
_REPLACED_AFTER = {"out_of_memory", "device_failed"}
FileReferences = dict[str, Any]
"""References to the files of a job in Ray's store, by name."""
_ENDINGS = {"cancel": Ending.CANCELLED, "stop": Ending.STOPPED}


class RemoteWorker:
    """Keeps one warm worker at a place and runs one attempt at a time on it."""

    def __init__(
        self,
        place: Place,
        resources: Mapping[str, float],
        send: Callable[[FromDriver], None],
        check_cluster: Callable[[], Awaitable[None]],
        pictures: PictureStore,
    ) -> None:
        self.place, self._send = place, send
        self._check_cluster, self._pictures = check_cluster, pictures
        self._files = Files()
        self._actor = PlaceActor(place, resources, send)
        self._idle_since, self._keep_warm = 0.0, 0.0
        self._job: str | None = None
        self._preparing: asyncio.Task[FileReferences] | None = None
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

    async def _run(self, order: RunAttempt, preparing: asyncio.Task[FileReferences]) -> None:
        job = order.assignment.job
        try:
            outcome = await self._attempt(order, preparing)
        except (RayError, NoWorkerError) as error:
            if not self._killed:
                await self._check_cluster()
            outcome = self._lost_outcome(job.id, error)
        except OSError as error:  # our own disk
            self._actor.end("what came back could not be written")
            failure = as_failure(error, job.backend)
            outcome = Outcome(job=job.id, ending=Ending.FAILED, failure=failure)
        self._attempt_ended(outcome, order.workers)
        self._send(Ended(outcome=outcome))

    async def _prepare(self, order: RunAttempt) -> FileReferences:
        """Wait for a worker that answers, and put the files of the job into the store."""
        patience = order.workers.start
        await self._actor.wait_ready(patience)
        files = asyncio.to_thread(self._pictures.of, order.assignment.job, order.assignment.folder)
        try:
            return await asyncio.wait_for(files, patience)
        except TimeoutError:
            raise NoWorkerError(f"Ray did not store its pictures in {patience:g} s") from None

    async def _attempt(self, order: RunAttempt, preparing: asyncio.Task[FileReferences]) -> Outcome:
        assignment = order.assignment
        await asyncio.gather(preparing, return_exceptions=True)
        if self._end_requested is not None:  # no worker has the job yet: do not start it
            return Outcome(job=assignment.job.id, ending=_ENDINGS[self._end_requested])
        await self._begin(assignment, preparing.result(), order.workers.start)
        while True:
            for message in await self._actor.handle.take_messages.remote(_POLL_SECONDS):
                match FROM_NODE.validate_python(message):
                    case Ended(outcome=outcome):
                        return outcome
                    case Reported() as report:
                        self._send(report)
                    case FileWritten() as file:
                        await self._write(file, assignment.folder)

    async def _begin(self, assignment: Assignment, files: FileReferences, patience: float) -> None:
        """Have the actor begin the attempt."""
        fields = assignment.model_dump(mode="json")
        begin = self._actor.handle.begin.remote(fields, list(files), *files.values())
        try:
            await asyncio.wait_for(begin, patience)
        except TimeoutError:
            raise NoWorkerError(f"it did not take the job in {patience:g} s") from None
        self._has_begun = True
        self._send(Begun(job=assignment.job.id))
        if self._end_requested is not None:
            self._actor.handle.end_attempt.remote(assignment.job.id, self._end_requested)

    async def _write(self, file: FileWritten, folder: Path) -> None:
        """Write a file of the job. A disk error is ignored only for a preview."""
        try:
            path = folder / Path(file.name).name
            await asyncio.to_thread(self._files.write, path, file.data, durable=file.durable)
        except OSError:
            if file.durable:
                raise

    # Requests of the daemon

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
            self._actor.handle.end_attempt.remote(job, how)
        due = asyncio.get_running_loop().time() + grace
        if self._killer is None or due < self._killer.when():
            self._forget_killer()
            loop = asyncio.get_running_loop()
            self._killer = loop.call_at(due, self._kill, "was killed: it did not stop in time")

    def _kill(self, why: str) -> None:
        self._killed = why
        self._actor.kill()

    def _forget_killer(self) -> None:
        if self._killer is not None:
            self._killer.cancel()
            self._killer = None

    # The end of an attempt, and of a worker

    def _lost_outcome(self, job: str, error: Exception) -> Outcome:
        """The outcome when the worker did not start, died, or was killed."""
        self._actor.end("lost")
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
        self._actor.jobs += 1
        failure = outcome.failure
        if outcome.device_fault or (failure is not None and failure.code in _REPLACED_AFTER):
            self._actor.end("replaced after a failure")
        elif self._actor.is_outdated:
            self._actor.end(RELOADED)
        elif self._actor.jobs >= workers.recycle:
            self._actor.end(f"replaced after {counted(self._actor.jobs, 'job')}")

    def replace(self) -> None:
        """Replace the worker, after the attempt that it runs: a plug-in may have changed."""
        self._actor.is_outdated = self._actor.handle is not None
        if self._job is None:
            self._actor.end(RELOADED)

    def end_if_idle(self) -> None:
        """End a worker that has been idle for some time, to free the node's resources."""
        if self._job is None and time.monotonic() - self._idle_since > self._keep_warm:
            self._actor.end("idle")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
