"""Batches under way: their members become jobs, and after the last job the batch is published.

A member is an ordinary job as soon as its folder is in the work folder. What is known about the
batch as a whole is in the folder of the batch, so that a restarted daemon continues from there.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from pathlib import PurePosixPath

from structlog.contextvars import bound_contextvars

from nstd.daemon.batch_publisher import BatchPublisher, LiveBatch
from nstd.documents.config import Config
from nstd.documents.model import file_of
from nstd.errors import StoreError, printable
from nstd.intake.claim import log_claimed
from nstd.logs.log import emit
from nstd.logs.throttle import DiskErrors
from nstd.outbox.outbox import Outbox
from nstd.queue.batch import Batch, BatchPaths, End, list_batches, read_manifest
from nstd.queue.job import Failure, Job
from nstd.queue.scheduler import Scheduler
from nstd.queue.store import JobStore
from nstd.system.backoff import backoff
from nstd.system.durable import Files
from nstd.system.layout import LOGS
from nstd.system.waits import Waits

BUDGET = 0.5
"""Seconds that one turn of the loop spends on moving members into the work folder."""
LONGEST = 60.0
"""The longest wait, in seconds, before a step that met a disk error is tried again."""


class Batches:
    """All batches under way. `claimed` holds the batches that intake has claimed since the last
    turn."""

    def __init__(
        self,
        config: Config,
        store: JobStore,
        outbox: Outbox,
        scheduler: Scheduler,
        claimed: deque[Batch],
        disk_errors: DiskErrors,
        files: Files,
        waits: Waits,
    ) -> None:
        self._store, self._outbox, self._first_wait = store, outbox, waits.publish
        self._scheduler, self._claimed, self._disk_errors = scheduler, claimed, disk_errors
        logs = config.folder("outbox") / LOGS
        self._publisher = BatchPublisher(store, outbox, logs, files)
        self._live: dict[str, LiveBatch] = {}
        self._is_loaded = self._is_draining = False
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._publisher.configure(config)

    def work(self, now: float) -> None:
        """Add the claimed batches, and publish the batches whose last job has ended."""
        while self._claimed:
            self.add(self._claimed.popleft())
        if not self._is_draining:
            self.release(now)
            for job in self._scheduler.members.take_arrived():
                with suppress(OSError):  # tried again when the job ends
                    self.reopen(job)
        self._finish_all(now)

    def drain(self) -> None:
        """Stop moving members into the work folder."""
        self._is_draining = True

    def __contains__(self, batch_id: str) -> bool:
        return batch_id in self._live

    def claimed_from(self, sidecar: str) -> str:
        """The id of the batch of the latest claim of a sidecar; an empty string for none."""
        batches = [live.batch for live in self._live.values()]
        ours = (b.id for b in batches if str(PurePosixPath(b.folder, b.sidecar)) == sidecar)
        return max(ours, default="")

    def is_staged(self, batch_id: str) -> bool:
        """Whether members of the batch are not moved into the work folder yet."""
        return not self._live[batch_id].is_released

    # In

    def add(self, batch: Batch) -> None:
        """Add a batch that was just claimed."""
        self._live[batch.id] = LiveBatch(batch, self._store.batch(batch.id))
        emit(
            "batch.started",
            batch=batch.id,
            name=batch.name,
            sidecar=printable(str(PurePosixPath(batch.folder, batch.sidecar))),
            jobs=len(batch.members),
        )

    def release(self, now: float, budget: float = BUDGET) -> None:
        """Move staged members into the work folder, where each is a job.

        Takes at most about `budget` seconds. Must be called after the recovery of the jobs of an
        earlier run.
        """
        if not self._is_loaded:
            self._load()
        for live in self._live.values():
            if live.is_released or now < live.due:
                continue
            try:
                for job_id in self._staged(live.paths):
                    if time.monotonic() - now > budget:
                        return
                    self._move_in(live, job_id)
                live.is_released = live.may_be_over = True
            except OSError as error:
                self._store.needs_recovery = True
                self._postpone(live, error, now)

    def _move_in(self, live: LiveBatch, job_id: str) -> None:
        """One that cannot be read stays, for `nstd retry`, and its batch is not over. Raises
        OSError."""
        try:
            job = self._store.move_in(live.paths, job_id)
        except StoreError as error:
            emit("job.unreadable", error=printable(error.message))
            return
        if job is not None:
            log_claimed(job, self._store.paths(job.id).log, batch=live.batch.id)
            self._scheduler.add(job)

    def _load(self) -> None:
        for paths in list_batches(self._store.work):
            try:
                batch = paths.read()
            except StoreError as error:
                emit("job.unreadable", error=printable(error.message))
            else:
                self._live.setdefault(batch.id, LiveBatch(batch, paths))
        self._is_loaded = True

    @staticmethod
    def _staged(paths: BatchPaths) -> list[str]:
        with suppress(FileNotFoundError):
            return sorted(path.name for path in paths.staged.iterdir())
        return []

    def reopen(self, job: Job) -> None:
        """If the job is a member, put back after its batch was published, start the batch again.

        Raises OSError.
        """
        if job.batch is None or job.batch.id in self._live:
            return
        batch = read_manifest(self._outbox.path / job.place)
        if batch is None or batch.id != job.batch.id:
            return  # its manifest was taken away: treat it as a single job
        batch = batch.model_copy(
            update={"round": batch.round + 1, "finished": None, "folder": job.folder}
        )
        self._live[batch.id] = LiveBatch(batch, self._store.reopen(batch), is_released=True)

    # Out

    def note_end(self, job: Job, failure: Failure | None) -> None:
        """Note how a published job has ended, if it is a member, before its folder is removed.

        To be said again while that fails: the batch is not over before. Raises OSError.
        """
        self.reopen(job)
        if job.batch is None or job.batch.id not in self._live:
            return
        live, index = self._live[job.batch.id], job.batch.index
        if index < len(live.batch.members):
            state = "finished" if failure is None else "failed"
            picture = file_of(PurePosixPath(str(job.target)).name, job.format)
            self._store.note_end(
                live.paths,
                index,
                End(
                    state=state,
                    output=str(job.target),
                    picture="" if failure else picture,
                    code=failure.code if failure else "",
                ),
            )
        live.may_be_over = True

    def _finish_all(self, now: float) -> None:
        """Publish the batches that are over, without waiting for contact sheets to be drawn."""
        for live in list(self._live.values()):
            if live.is_awaited and not self._scheduler.members.may_come(live.batch.id):
                live.may_be_over = True
            if now < live.due or not self._is_over(live):
                continue
            with bound_contextvars(batch=live.batch.id):
                try:
                    if self._publisher.finish(live, now):
                        del self._live[live.batch.id]
                except (OSError, StoreError) as error:
                    self._postpone(live, error, now)

    def _is_over(self, live: LiveBatch) -> bool:
        """Whether every member has ended; one without an end, a folder and a sidecar is lost."""
        if not (self._is_loaded and live.is_released and live.may_be_over):
            return False
        if is_alive := self._scheduler.members.is_alive(live.batch.id):
            live.drop_sheet()
        live.may_be_over = live.is_awaited = False
        if is_alive:
            return False
        with suppress(StoreError):
            live.batch = live.paths.read()
        members = live.batch.members
        left = [number for number, member in enumerate(members) if member.end is None]
        if any(self._has_folder(live, members[number].job) for number in left):
            return False  # it cannot be read, which was already logged
        if left and self._scheduler.members.may_come(live.batch.id):
            live.is_awaited = True
            return False
        live.lost = {n: End(state="failed", output="", code="io_error") for n in left}
        live.may_be_over = True
        return True

    def _has_folder(self, live: LiveBatch, job_id: str) -> bool:
        return self._store.paths(job_id).folder.exists() or (live.paths.staged / job_id).exists()

    def _postpone(self, live: LiveBatch, error: Exception, now: float) -> None:
        if isinstance(error, OSError):
            self._disk_errors.log(error, live.batch.name)
        else:
            emit("job.unreadable", error=printable(str(error)))
        live.tries += 1
        live.due = now + backoff(live.tries, self._first_wait, LONGEST)

    def close(self) -> None:
        """Kill the processes that draw contact sheets; the next run of the daemon draws them."""
        for live in self._live.values():
            if live.sheet is not None:
                live.sheet.kill()

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Whether every batch only waits for its jobs to end."""
        return self._is_loaded and all(
            live.is_released and not live.may_be_over for live in self._live.values()
        )

    def next_event(self, now: float) -> float:
        """When to move in members, or to check a process that draws a sheet."""
        busy = [live for live in self._live.values() if not live.is_released or live.may_be_over]
        return min((live.next_check(now) for live in busy), default=float("inf"))

    def waitables(self) -> list[int]:
        """Descriptors that become readable when a process that draws a sheet ends."""
        return [fd for live in self._live.values() if live.sheet for fd in live.sheet.waitables]
