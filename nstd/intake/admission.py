"""Admission: claims ready sidecars of the inbox as jobs, while the queue has room."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.errors import NstdError, SidecarError, StoreError, printable
from nstd.intake.claim import Claims, log_claimed
from nstd.intake.films import kinds_of, with_films
from nstd.intake.forgetting import Forgetting
from nstd.intake.inbox import Inbox
from nstd.intake.names import RECIPES, is_sidecar
from nstd.intake.plan import Plan, make_plan, plain_order
from nstd.intake.ready import Ready, claimable
from nstd.intake.space import short_of_space
from nstd.intake.staging import place_of
from nstd.intake.watcher import Watcher
from nstd.logs.log import emit
from nstd.logs.throttle import DiskErrors
from nstd.queue.batch import Batch, free_name
from nstd.queue.ended import EndedJobs
from nstd.queue.inbox_note import InboxNote
from nstd.queue.job import Failure, Job
from nstd.queue.overrides import Overrides
from nstd.queue.recipe_state import RecipeState
from nstd.queue.scheduler import Scheduler
from nstd.queue.store import JobStore
from nstd.queue.turns import Turns
from nstd.system.nofollow import join
from nstd.system.primitives import is_full
from nstd.system.waits import USUAL, Waits

BUDGET = 0.5
"""Seconds that one turn of the loop spends on claims, so that running jobs are not delayed."""
REST_FACTOR = 4
"""The least pause between two scans, as a multiple of the time that a scan takes."""
BACKEND_PAUSE = 5.0
"""Seconds until a sidecar is tried again whose backend cannot be used now."""
LOST_SCAN_INTERVAL = 1.0
"""The longest time, in seconds, between scans of an inbox that cannot be read."""


class Admission:
    """Decides when the inbox is scanned and what is claimed.

    Claimed jobs go to the scheduler, refused ones to the ended jobs, and batches to `claimed`.
    With `pause`, the caller stops claims and gives the reason.
    """

    def __init__(
        self,
        config: Config,
        inbox: Inbox,
        overrides: Overrides,
        store: JobStore,
        claims: Claims,
        scheduler: Scheduler,
        ended: EndedJobs,
        backends: Backends,
        disk_errors: DiskErrors,
        wake: Callable[[], None],
        waits: Waits = USUAL,
    ) -> None:
        self.inbox, self._store, self._claims = inbox, store, claims
        self._overrides, self._held = overrides, 0
        self._scheduler, self._ended = scheduler, ended
        self._backends, self._disk_errors, self._wake = backends, disk_errors, wake
        self.claimed: deque[Batch] = deque()
        self.watcher = Watcher(config.folder("inbox"), config.watch, wake)
        self._ready: list[Ready] = []
        self._next_scan = self._spent = 0.0
        self._has_scanned = False
        self.lost: OSError | None = None
        """Why the inbox cannot be read."""
        self._lost_since = 0.0
        self.notes: list[InboxNote] = []
        """Notes about files of the last scan that will not become jobs as they are."""
        self.recipes: list[RecipeState] = []
        """The folders with a recipe in the last scan."""
        self._turns, self._forgetting = Turns(), Forgetting(inbox.made, disk_errors)
        self._full, self._try_at, self._full_pause = "", 0.0, waits.full
        self.paused = ""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._config = config
        self.inbox.configure(config)
        self._forgetting.configure(config)
        self.watcher.stop()
        self.watcher = Watcher(config.folder("inbox"), config.watch, self._wake)

    def scan_soon(self) -> None:
        """Something changed in the inbox: scan it soon, but with a pause since the last scan."""
        self._next_scan = min(
            self._next_scan, time.monotonic() + max(0.1, REST_FACTOR * self._spent)
        )

    def scan_again(self) -> None:
        """Scan the inbox at once; it does not count as empty until then."""
        self._has_scanned, self._next_scan = False, 0.0

    def pause(self, reason: str) -> None:
        """Claim nothing while there is a `reason`, the caller's or our own; logs each change."""
        reason = reason or self._full or short_of_space(self._config)
        if self.paused and not reason:
            emit("intake.resumed", reason=self.paused)
        if reason and not self.paused:
            emit("intake.paused", reason=reason)
        self.paused = reason

    def work(self, now: float) -> None:
        """Scan the inbox when it is time, and claim ready sidecars while the queue has room.

        Raises OSError when it is not known what is held.
        """
        self._overrides.load()
        self._scan(now)
        if not self.lost:
            self._forgetting.work(now)
        while self._can_claim(now) and time.monotonic() < now + BUDGET:
            ready = self.inbox.read(self._ready.pop(0))
            if ready is None:  # it changed: a later scan finds it again
                continue
            job = self.claim(ready, now)
            if ready.recipe is not None:  # a picture that is kept gives no event of the kernel
                self.scan_soon()
            if job is None:
                continue
            if ready.error is not None or not job.inputs:
                self._ended.add(job)
            else:
                self._scheduler.add(job)

    def _can_claim(self, now: float) -> bool:
        return self._may_claim(now) and self._scheduler.admits(self._ready[0].priority)

    def _may_claim(self, now: float) -> bool:
        if self._full and self.paused == self._full:
            return bool(self._ready) and now >= self._try_at
        return bool(self._ready) and not self.paused

    def _scan(self, now: float) -> None:
        if now < self._next_scan:
            return
        self.watcher.check()
        try:
            found = self.inbox.ready(now)
            ready = claimable(found, self._overrides)
            self._ready = list(self._turns.order(ready, lambda r: r.priority, lambda r: r.folder))
            self._held = len(found) - len(ready)
            self.notes, self.recipes = self.inbox.notes(), self.inbox.folders.states
            self._scheduler.members.note_inbox(self.inbox.batches)
            self._note_lost(None, now)
        except OSError as error:
            self._ready = []
            self._note_lost(error, now)
        self._has_scanned = True
        if not self.inbox.count:
            self._full = ""
        self._spent = time.monotonic() - now
        deadline = now + LOST_SCAN_INTERVAL if self.lost else self.inbox.deadline
        soon = min(deadline, now + self.watcher.interval)
        self._next_scan = max(soon, now + 0.05, now + REST_FACTOR * self._spent) + self._spent

    def override(self, name: str, changes: Mapping[str, Any]) -> bool:
        """Change the fields `changes` of the sidecar `name`, ready or not; False when there is
        none. Raises OSError."""
        found = self._find(name)
        if found is None:
            return False
        if self._overrides.change(found.name, changes):
            emit("sidecar.changed", sidecar=printable(found.name), **changes)
        self.scan_again()
        return True

    @property
    def held(self) -> int:
        """How many sidecars of the inbox are held."""
        return self._overrides.held

    def forget_overrides(self) -> None:
        """Forget those of sidecars that are not in the inbox any more. Raises OSError."""
        if self._has_scanned and self.lost is None:
            self._overrides.forget(*self.inbox.present)

    def _note_lost(self, error: OSError | None, now: float) -> None:
        path = printable(self.inbox.root.path)
        if error is not None and not self.lost:
            self._lost_since = now
            emit("inbox.lost", path=path, error=printable(str(error)))
        if error is None and self.lost:
            emit("inbox.back", path=path)
            self._store.needs_recovery = True  # claims of an earlier run may be there again
        self.lost = error

    def lost_for(self, now: float) -> float:
        """For how many seconds the inbox could not be read; 0 while it can."""
        return now - self._lost_since if self.lost else 0.0

    def cancel(self, name: str, now: float) -> Job | None:
        """Claim the sidecar `name`, ready or not, as a job that fails as cancelled."""
        found = self._find(name)
        error = SidecarError("cancelled", "cancelled before it was claimed")
        return None if found is None else self.claim(replace(found, error=error), now)

    def _find(self, name: str) -> Ready | None:
        """The sidecar `name` as it is in the inbox; None when there is none."""
        try:
            name = join("", name)
            signature = self.inbox.root.signature(name)
        except (OSError, NstdError):
            return None
        return Ready(name, signature) if is_sidecar(PurePosixPath(name).name) else None

    def claim(self, ready: Ready, now: float) -> Job | None:
        """Claim one sidecar as a job or a batch; after an error it stays in the inbox for now."""
        try:
            plan, failure = self._plan(ready)
        except FileNotFoundError:  # of a content, to see whether it is a film
            return None
        except OSError as error:
            self._postpone(ready, now, error)
            return None
        if failure is not None and failure.code == "backend_unavailable":
            self.inbox.holds.add(ready.name, now + BACKEND_PAUSE)  # it may work later
            return None
        if failure is not None and ready.recipe is not None:  # its pictures wait
            self.inbox.recipes.refuse_use(ready.recipe, failure)
            return None
        try:
            if plan.axes:
                self._claim_batch(ready, plan)
                return None
            job = self._claims.claim(ready, plan.order, failure)
        except (FileNotFoundError, StoreError):  # it changed meanwhile: a later scan finds it
            self._store.needs_recovery = True
            return None
        except OSError as error:
            self._store.needs_recovery = True
            self._postpone(ready, now, error)
            return None
        self._full = ""
        self._overrides.discard(ready.name)
        if job is not None:
            self._turns.taken(ready.folder)
            log_claimed(job, self._store.paths(job.id).log)
        return job

    def _plan(self, ready: Ready) -> tuple[Plan, Failure | None]:
        """The plan of a sidecar, or a plan for the job that fails because it is refused."""
        try:
            if ready.error is not None or ready.parsed is None:
                raise ready.error or StoreError("internal_error", "a sidecar that was not read")
            plan = make_plan(ready.name, ready.parsed, self._config, self._backends)
            usual = None if ready.recipe is None else self._config.jobs.format
            kinds = kinds_of(ready.parsed, ready.pictures)
            plan = with_films(plan, ready.parsed, kinds, usual)
            return plan.with_priority(self._overrides.get(ready.name).priority), None
        except NstdError as error:
            plan = Plan(plain_order(ready.name, ready.parsed, self._config))
            return plan, Failure.of(error)

    def _claim_batch(self, ready: Ready, plan: Plan) -> None:
        """Claim a sidecar with lists; its jobs are staged in the folder of the batch."""
        outbox, work = self._config.folder("outbox"), self._config.folder("work")
        name = free_name(outbox, work, place_of(ready), plan.order.name)
        batch = self._claims.claim_batch(ready, plan, name)
        self._full = ""
        self._overrides.discard(ready.name)
        if batch is not None:
            self._turns.taken(ready.folder)
            self.claimed.append(batch)

    def hold(self, folder: str, *, is_held: bool) -> bool:
        """Hold the pictures in the folder of a recipe, or let them go; False where there is no
        recipe. Raises OSError."""
        try:
            folder = join("", folder)
        except SidecarError:
            return False
        if not any((self.inbox.root.path / folder / name).is_file() for name in RECIPES):
            return False
        if self.inbox.hold(folder, is_held=is_held) and not is_held:
            emit("recipe.released", folder=printable(folder))
        self.scan_again()
        return True

    def _postpone(self, ready: Ready, now: float, error: OSError) -> None:
        self._disk_errors.log(error, ready.name)
        if is_full(error):
            self._full = f"no space to take jobs in: {error.strerror}"
            self._try_at = now + self._full_pause
        else:
            self.inbox.holds.add_error(ready.name, now)

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Whether nothing is ready, and nothing in the inbox will be ready soon."""
        is_read = self._has_scanned and self.lost is None
        may_come = self.inbox.pending > self._held
        return is_read and not self._ready and not may_come and not self.claimed

    def next_event(self, now: float) -> float:
        """When the inbox is scanned next, or 0 while something ready can be claimed at once."""
        return 0.0 if self._can_claim(now) else self._next_scan

    def waitables(self) -> tuple[()]:
        """Nothing to wait on: the watcher wakes the loop."""
        return ()

    def close(self) -> None:
        """Stop the watcher."""
        self.watcher.stop()
