"""The pipeline, from the inbox to the outbox: its parts, joined by the queue, and one turn of them.

inbox -> claim -> job store -> scheduler -> executor -> worker -> backend -> outbox
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from nstd.backends import Backends
from nstd.daemon.batches import Batches
from nstd.daemon.dispatcher import Dispatcher
from nstd.daemon.expiry import Expiry
from nstd.daemon.health import HealthFile
from nstd.daemon.hooks import Hooks
from nstd.daemon.metrics import Metrics
from nstd.daemon.notice_writer import NoticeWriter
from nstd.daemon.part import Part
from nstd.daemon.recovery import Recovery
from nstd.daemon.start_gate import StartGate
from nstd.daemon.waiting_changes import WaitingChanges
from nstd.documents import Config
from nstd.executors import make_executor
from nstd.intake import Admission, Claims, Inbox
from nstd.intake.cleanup import Cleanup
from nstd.logs.throttle import DiskErrors
from nstd.outbox import Outbox, Publisher
from nstd.outbox.gallery import Gallery
from nstd.queue import JobStore, Scheduler
from nstd.queue.daemon_state import DaemonState
from nstd.queue.ended import EndedJobs
from nstd.queue.lookup import claimed_from, members_of
from nstd.queue.overrides import Overrides
from nstd.system.durable import Files
from nstd.system.layout import ARCHIVE, HEALTH, INNER, LOGS, WORKERS
from nstd.system.waits import USUAL, Waits

NO_RECIPE = "it has no recipe"


class Pipeline:
    """The parts. `wake` is called, from any thread, when something changes in the inbox."""

    def __init__(
        self, config: Config, files: Files, wake: Callable[[], None], waits: Waits = USUAL
    ) -> None:
        work, logs = config.folder("work"), config.folder("outbox") / LOGS
        _make_folders(config, files)
        # What the parts share
        self.backends, outbox = Backends(), Outbox(config.folder("outbox"), files)
        store, inbox = JobStore(work, files), Inbox(config, waits, files, self.backends)
        claims = Claims(store, inbox.root, files, inbox.made, outbox.path / ARCHIVE)
        executor = make_executor(config, work / WORKERS)
        self._store, self.disk_errors, self.state = store, DiskErrors(), DaemonState()
        self.scheduler = Scheduler(executor.slots(), config, waits)
        self.ended = EndedJobs(self.scheduler.members)
        self.health, overrides = HealthFile(work / HEALTH, files), Overrides(work, files)
        queue = self.scheduler, self.ended
        self.has_requests_left = False
        """Whether requests of people could not be carried out yet; nothing starts before that."""
        # The parts, in the order of the pipeline
        self._recovery = Recovery(
            config, store, claims, outbox, *queue, logs, self.disk_errors, waits
        )
        self.admission = Admission(
            config,
            inbox,
            overrides,
            store,
            claims,
            *queue,
            self.backends,
            self.disk_errors,
            wake,
            waits,
        )
        self.gate = StartGate(config, files, self.scheduler)
        self.batches = Batches(
            config,
            store,
            outbox,
            self.scheduler,
            self.admission.claimed,
            self.disk_errors,
            files,
            waits,
        )
        self.dispatcher = Dispatcher(
            config, executor, *queue, store, self.health, self.disk_errors, waits
        )
        self.changes = WaitingChanges(store, self.scheduler, self.batches, self.admission)
        self.publisher = Publisher(
            store, outbox, self.ended, logs, self.disk_errors, self.batches.note_end, waits
        )
        self._cleanup, self.hooks = Cleanup(config, inbox, files), Hooks(config)
        self.gallery = Gallery(config, files, self.scheduler, self.state, waits)
        self._expiry = Expiry(config, waits)
        self._metrics = Metrics(config, files, self.scheduler, self.state, self.disk_errors)
        self._notices = NoticeWriter(config, files, self.scheduler, self.state, self.disk_errors)
        self._input_parts: tuple[Part, ...] = (self._recovery, self.admission)
        self._other_parts: tuple[Part, ...] = (
            *(self.gate, self.batches, self.dispatcher, self.publisher, self._cleanup),
            *(self.hooks, self._notices, self.gallery, self._expiry, self._metrics),
        )

    def open(self) -> None:
        """Start the executor. Raises NstdError when there is no device to run jobs on."""
        self.dispatcher.open()

    # One turn

    def steps(self) -> list[Callable[[float], None]]:
        """The steps of one turn, in order. While the daemon drains, nothing is claimed."""
        entry = [] if self.state.phase == "stopping" else [self.admit]
        told: list[Part] = [self._cleanup, self.hooks, self._notices, self.gallery]
        beside = [*told, self._expiry, self._metrics]
        attempts = [self.gate.work, self.batches.work, self.dispatch]
        return [*entry, *attempts, self.publish, *(part.work for part in beside)]

    def recover(self, now: float) -> None:
        """disk -> queue: add the jobs that an earlier run, or an error, has left on disk."""
        was_done = self._recovery.is_idle
        self._recovery.work(now)
        if self._recovery.is_idle and not was_done:  # sidecars may be back in the inbox
            self.admission.scans.again()

    def admit(self, now: float) -> None:
        """inbox -> job store -> scheduler, after the recovery of jobs of an earlier run."""
        self.recover(now)
        if self.has_requests_left:
            return
        reason = self.dispatcher.reason_to_pause() or self.publisher.reason_to_pause()
        self.admission.pause(reason)
        self.admission.work(now)
        if self._recovery.is_idle:  # else a sidecar that is gone may come back
            self.admission.forget_overrides()
        self.state.paused, self.state.inbox = self.admission.paused, self.admission.inbox.count
        self.state.has_input = not self.has_no_input
        self.state.held_in_inbox = self.admission.held
        scans = self.admission.scans
        self.state.inbox_lost = scans.lost is not None
        self.state.unavailable = self.backends.unavailable()
        self.state.notes, self.state.recipes = scans.notes, scans.recipes

    def dispatch(self, now: float) -> None:
        """scheduler -> executor -> ended jobs."""
        if self.has_requests_left:
            self.dispatcher.collect(now)
        else:
            self.dispatcher.work(now)

    def publish(self, now: float) -> None:
        """ended jobs -> outbox -> cleanup, hooks and gallery."""
        self.publisher.work(now)
        self._pass_on_published()

    def _pass_on_published(self) -> None:
        for job, failure, record, is_new in self.publisher.take():
            if failure is None:
                self._cleanup.add(job)
            if is_new:
                self.hooks.add(job, failure, record)
                self.gallery.add(record)

    # What people and signals ask for

    def cancel(self, name: str, now: float) -> bool:
        """Cancel the job or batch with the id `name`, or the sidecar `name`; False if there is
        none."""
        if name in self.batches:
            return self._cancel_batch(name, now)
        if self.dispatcher.cancel(name):
            return True
        job = self.admission.cancel(name, now)
        if job is not None:
            self.ended.add(job)
            return True
        # It may have been claimed after it was seen in the inbox.
        if batch_id := self.batches.claimed_from(name):
            return self._cancel_batch(batch_id, now)
        return self._cancel_all(claimed_from(self.scheduler, name))

    def hold_folder(self, folder: str, *, is_held: bool) -> str:
        """Hold the pictures in the folder of a recipe, or let them go; why not, or "".

        Raises OSError.
        """
        return "" if self.admission.hold(folder, is_held=is_held) else NO_RECIPE

    def _cancel_batch(self, batch_id: str, now: float) -> bool:
        """Cancel every job of the batch that has not ended; False when there is none."""
        self.batches.release(now, budget=float("inf"))
        return self._cancel_all(members_of(self.scheduler, batch_id))

    def _cancel_all(self, ids: list[str]) -> bool:
        for job_id in ids:
            self.dispatcher.cancel(job_id)
        return bool(ids)

    def configure(self, config: Config) -> None:
        """Take over new settings; folders, slots and running jobs do not change."""
        for part in (*self._input_parts, *self._other_parts):
            part.configure(config)

    def drain(self) -> None:
        """Stop claiming, and have every running job save its state and wait again."""
        self.state.phase = "stopping"
        self.batches.drain()
        self.dispatcher.drain()
        self.hooks.drain(time.monotonic())

    def close(self) -> None:
        """Kill the workers, and write what can be written."""
        self.state.phase = "stopped"
        for part in (*self._input_parts, *self._other_parts):
            part.close()
            self._pass_on_published()

    # What the loop needs to know

    @property
    def has_no_input(self) -> bool:
        """Whether nothing in the inbox can be claimed and nothing of an earlier run is left."""
        return all(part.is_idle for part in self._input_parts)

    @property
    def is_idle(self) -> bool:
        """Whether no job waits, runs or is being published, and no hook, batch or page is left."""
        return all(part.is_idle for part in self._other_parts)

    def next_event(self, now: float) -> float:
        """When the next turn must start, if nothing happens before."""
        is_draining = self.state.phase == "stopping"
        parts = self._other_parts if is_draining else (*self._input_parts, *self._other_parts)
        return min(part.next_event(now) for part in parts)

    def waitables(self) -> Sequence[Any]:
        """What to wait on for the next event of a worker, a hook or a process that draws a
        sheet."""
        return [
            each for part in (*self._input_parts, *self._other_parts) for each in part.waitables()
        ]


def _make_folders(config: Config, files: Files) -> None:
    for name in ("work", "outbox", "inbox", "styles"):
        for inner in ("", *INNER.get(name, ())):
            files.make_folder(config.folder(name) / inner)
