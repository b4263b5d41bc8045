"""The straight line, from the inbox to the outbox: every part of it, and one turn of each.

inbox -> claim -> job store -> scheduler -> executor -> worker -> backend -> outbox
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from nstd.backends.registry import Backends
from nstd.daemon.batches import Batches
from nstd.daemon.dispatcher import Dispatcher
from nstd.daemon.health import HealthFile
from nstd.daemon.hooks import Hooks
from nstd.daemon.metrics import Metrics
from nstd.daemon.recovery import Recovery
from nstd.documents.config import Config
from nstd.executors import make_executor
from nstd.intake.admission import Admission
from nstd.intake.claim import Claims
from nstd.intake.cleanup import Cleanup
from nstd.intake.inbox import Inbox
from nstd.logs.trouble import Trouble
from nstd.outbox.gallery import Gallery
from nstd.outbox.outbox import Outbox
from nstd.outbox.publisher import Publisher
from nstd.outbox.sheet_process import Sheet, make_command
from nstd.queue.batch import BatchPaths
from nstd.queue.job import Failure, Job
from nstd.queue.store import JobStore
from nstd.system.durable import Files
from nstd.system.layout import HEALTH, LOGS, WORKERS


class Pipeline:
    """The parts, joined; `ring` is called when something happens in the inbox."""

    def __init__(self, config: Config, files: Files, ring: Callable[[], None]) -> None:
        work, outbox = config.folder("work"), config.folder("outbox")
        for name in ("work", "outbox", "inbox", "styles"):
            files.make_folder(config.folder(name))
        self.plugins, self._outbox = Backends(), Outbox(outbox, files)
        self.trouble = Trouble()
        inbox = Inbox(config)
        self._store = JobStore(work, files)
        claims = Claims(self._store, inbox.root, files)
        self._files, self._limits = files, config.limits
        self.batches = Batches(
            self._store, self._outbox, outbox / LOGS, self.trouble, self._has_jobs, self._draw
        )
        self.intake = Admission(
            config, inbox, self._store, claims, self.plugins, self.trouble, ring, self.batches.add
        )
        self._clearance = Cleanup(config, inbox, files)
        self.hooks, self.gallery = Hooks(config), Gallery(config, files)
        self.publisher = Publisher(
            self._store,
            self._outbox,
            outbox / LOGS,
            self.trouble,
            self._clearance.add,
            self._pass_on,
            self.batches.note_end,
        )
        executor = make_executor(config, work / WORKERS)
        self.state = HealthFile(work / HEALTH, files)
        self._dispatcher = Dispatcher(
            config, executor, self._store, self.publisher, self.state, self.trouble
        )
        self.scheduler = self._dispatcher.scheduler
        self.metrics = Metrics(config, files, self.trouble)
        self._recovery = Recovery(
            config,
            self._store,
            claims,
            self._outbox,
            self.scheduler,
            self.publisher,
            outbox / LOGS,
            self.trouble,
        )

    def open(self) -> None:
        """Get the executor ready; raises NstdError when there is nowhere to run anything."""
        self._dispatcher.open()

    # One turn

    def recover(self, now: float) -> None:
        """disk -> scheduler: take over what an earlier run, or an error, has left, if need be."""
        if self.intake.needs_repair or self.batches.needs_repair:
            self.intake.needs_repair = self.batches.needs_repair = False
            self._recovery.ask()
        self._recovery.work(now)
        self._unfold(now)

    def take_in(self, now: float) -> None:
        """inbox -> store -> scheduler: claim what is ready, as far as there is room."""
        self.recover(now)
        self.intake.pause(self._dispatcher.reason_to_pause() or self.publisher.trouble)
        for job, refused in self.intake.jobs(now, self.scheduler.admits):
            if refused:
                self.publisher.conclude(job)
            else:
                self.scheduler.add(job)
            self._reopen(job)
        self._unfold(now)

    def _unfold(self, now: float, **budget: float) -> None:
        """batch -> scheduler: the members of batches that were claimed become jobs."""
        for job in self.batches.unfold(now, **budget):
            self.scheduler.add(job)

    def _reopen(self, job: Job) -> None:
        with suppress(OSError):  # the end of the job tries it again
            self.batches.reopen(job)

    def dispatch(self, now: float) -> None:
        """scheduler -> executor: start what is due on the slots that are free."""
        self._dispatcher.dispatch(now)

    def collect(self, now: float) -> None:
        """executor -> scheduler: take in what the workers tell."""
        self._dispatcher.collect(now)

    def put_out(self, now: float) -> None:
        """scheduler -> outbox: publish what is over."""
        self.publisher.work(now)
        self.batches.work(now)
        self._clearance.work()

    def run_hooks(self, now: float) -> None:
        """Start the commands that the config has for jobs that are over."""
        self.hooks.work(now)

    def show(self, now: float, state: str = "running") -> None:
        """Keep the gallery up to date."""
        self.gallery.work(now, self.scheduler, lambda: self._outlook(state))

    def _outlook(self, state: str) -> dict[str, Any]:
        """What the gallery tells of the daemon."""
        intake = self.intake
        return {"state": state, "paused": intake.paused, "inbox": intake.inbox.count}

    def _pass_on(self, job: Job, failure: Failure | None, record: Path) -> None:
        """The job has ended, and everybody was told."""
        self.hooks.add(job, failure, record)
        self.gallery.add(job, failure, record)

    def measure(self, now: float) -> None:
        """Write the metrics, if it is time."""
        intake = self.intake
        self.metrics.work(
            now,
            self.scheduler,
            inbox=intake.inbox.count,
            paused=intake.paused,
            is_lost=intake.lost is not None,
        )

    # What people and signals ask for

    def cancel(self, name: str, now: float) -> bool:
        """End the job or batch with the id `name`, or the sidecar of that name; False if none."""
        if name in self.batches:
            return self._cancel_batch(name, now)
        if self._dispatcher.cancel(name):
            return True
        job = self.intake.cancel(name, now)
        if job is not None:
            self.publisher.conclude(job)
            return True
        # It may have been claimed after it was seen in the inbox.
        claimed = [job.id for job in self._jobs() if sidecar_name(job) == name]
        return bool(claimed) and self._dispatcher.cancel(max(claimed))

    def _cancel_batch(self, batch_id: str, now: float) -> bool:
        """End every job of the batch that has not ended; False when there is none left."""
        self._unfold(now, budget=float("inf"))
        ours = [job.id for job in self._jobs() if job.batch and job.batch.id == batch_id]
        for job_id in ours:
            self._dispatcher.cancel(job_id)
        return bool(ours)

    def retry(self, job_id: str) -> bool:
        """Start a waiting or running job anew from its inputs; False when there is none."""
        return self._dispatcher.restart(job_id)

    def configure(self, config: Config) -> None:
        """Take over new settings; folders, slots and running jobs stay."""
        self._limits = config.limits
        parts = (self.intake, self._clearance, self._dispatcher, self._recovery, self.hooks)
        for part in (*parts, self.gallery):
            part.configure(config)

    def drain(self) -> None:
        """Have every running job saved and put back."""
        self._dispatcher.drain()
        self.hooks.drain(time.monotonic())

    def close(self) -> None:
        """End the workers at once, and write what can be written."""
        self.intake.watcher.stop()
        self._dispatcher.end()
        self.publisher.work(time.monotonic())
        self.hooks.end()
        self.batches.end()
        self.gallery.close(self.scheduler, lambda: self._outlook("stopped"))
        self.metrics.close()

    # What the loop needs to know

    @property
    def is_worked_off(self) -> bool:
        """Whether the inbox has nothing for us, nor what an earlier run left."""
        return self.intake.is_empty and self._recovery.is_done and not self.intake.needs_repair

    @property
    def is_idle(self) -> bool:
        """Whether no job waits, runs or is on its way out, and no hook, batch or page is left."""
        is_told = not self.publisher.pending and self.hooks.is_idle
        is_shown = self.batches.is_idle and self.gallery.is_idle
        return self._dispatcher.is_idle and is_told and is_shown

    def next_event(self, now: float, *, draining: bool) -> float:
        """When the next turn is due, if nothing happens before."""
        parts = (self._dispatcher, self.hooks, self.batches)
        due = min(
            self.publisher.next_event,
            self.metrics.next_event,
            self.gallery.next_event,
            *(part.next_event(now) for part in parts),
        )
        return due if draining else min(due, self.intake.next_event(now, self.scheduler.admits))

    def waitables(self) -> Sequence[Any]:
        """What to wait on for the next event of a worker."""
        return [
            *self._dispatcher.waitables(),
            *self.hooks.waitables(),
            *self.batches.waitables(),
        ]

    def _has_jobs(self, batch_id: str) -> bool:
        """Whether jobs of the batch wait, run, or are on their way out."""
        jobs = [*self._jobs(), *(pending.job for pending in self.publisher.pending.values())]
        return any(job.batch is not None and job.batch.id == batch_id for job in jobs)

    def _draw(self, paths: BatchPaths) -> Sheet:
        return Sheet(paths, self._files, make_command(self._outbox.path, self._limits))

    def _jobs(self) -> list[Job]:
        waiting = [entry.job for entry in self.scheduler.waiting.values()]
        return waiting + [entry.job for entry in self.scheduler.running.values()]


def sidecar_name(job: Job) -> str:
    """The name, relative to the inbox, of the sidecar that the job was claimed from."""
    return os.fspath(PurePosixPath(job.folder, job.sidecar))
