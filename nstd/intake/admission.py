"""Admission: claims ready sidecars of the inbox as jobs, while the queue has room."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.errors import SidecarError, StoreError, printable
from nstd.intake.claim import Claims, log_claimed
from nstd.intake.forgetting import Forgetting
from nstd.intake.inbox import Inbox
from nstd.intake.names import RECIPES
from nstd.intake.plan import Plan
from nstd.intake.planning import plan_ready
from nstd.intake.ready import Ready, claimable, find_sidecar
from nstd.intake.scan_schedule import ScanSchedule
from nstd.intake.space import short_of_space
from nstd.intake.staging import place_of
from nstd.logs.log import emit
from nstd.logs.throttle import DiskErrors
from nstd.queue.batch import Batch, free_name
from nstd.queue.ended import EndedJobs
from nstd.queue.job import Failure, Job
from nstd.queue.overrides import Overrides
from nstd.queue.scheduler import Scheduler
from nstd.queue.store import JobStore
from nstd.queue.turns import Turns
from nstd.system.nofollow import join
from nstd.system.primitives import is_full
from nstd.system.waits import USUAL, Waits

BUDGET = 0.5
"""Seconds that one turn of the loop spends on claims, so that running jobs are not delayed."""
BACKEND_PAUSE = 5.0
"""Seconds until a sidecar is tried again whose backend cannot be used now."""


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
        self._backends, self._disk_errors = backends, disk_errors
        self.scans = ScanSchedule(config, inbox, wake)
        self.claimed: deque[Batch] = deque()
        self._ready: list[Ready] = []
        self._turns, self._forgetting = Turns(), Forgetting(inbox.made, disk_errors)
        self._full, self._try_at, self._full_pause = "", 0.0, waits.full
        self.paused = ""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._config = config
        self.inbox.configure(config)
        self._forgetting.configure(config)
        self.scans.configure(config)

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
        if not self.scans.lost:
            self._forgetting.work(now)
        while self._can_claim(now) and time.monotonic() < now + BUDGET:
            ready = self.inbox.read(self._ready.pop(0))
            if ready is None:  # it changed: a later scan finds it again
                continue
            job = self.claim(ready, now)
            if ready.recipe is not None:  # a picture that is kept gives no event of the kernel
                self.scans.soon()
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
        """Scan the inbox when it is time, and put what is found in its order."""
        was_lost = self.scans.lost is not None
        if not self.scans.work(now):
            return
        found = self.scans.found
        ready = claimable(found, self._overrides)
        self._ready = list(self._turns.order(ready, lambda r: r.priority, lambda r: r.folder))
        if self.scans.lost is None:
            self._held = len(found) - len(ready)
            self._scheduler.members.note_inbox(self.inbox.batches)
            self._store.needs_recovery |= was_lost  # claims of an earlier run may be there again
        if not self.inbox.count:
            self._full = ""

    def override(self, name: str, changes: Mapping[str, Any]) -> bool:
        """Change the fields `changes` of the sidecar `name`, ready or not; False when there is
        none. Raises OSError."""
        found = find_sidecar(self.inbox.root, name)
        if found is None:
            return False
        if self._overrides.change(found.name, changes):
            emit("sidecar.changed", sidecar=printable(found.name), **changes)
        self.scans.again()
        return True

    @property
    def held(self) -> int:
        """How many sidecars of the inbox are held."""
        return self._overrides.held

    def forget_overrides(self) -> None:
        """Forget those of sidecars that are not in the inbox any more. Raises OSError."""
        if self.scans.has_scanned and self.scans.lost is None:
            self._overrides.forget(*self.inbox.present)

    def cancel(self, name: str, now: float) -> Job | None:
        """Claim the sidecar `name`, ready or not, as a job that fails as cancelled."""
        found = find_sidecar(self.inbox.root, name)
        error = SidecarError("cancelled", "cancelled before it was claimed")
        return None if found is None else self.claim(replace(found, error=error), now)

    def claim(self, ready: Ready, now: float) -> Job | None:
        """Claim one sidecar as a job or a batch; after an error it stays in the inbox for now."""
        try:
            plan, failure = plan_ready(ready, self._config, self._backends)
            if failure is None:
                plan = plan.with_priority(self._overrides.get(ready.name).priority)
            elif self._must_wait(ready, failure, now):
                return None
            return self._take(ready, plan, failure)
        except (FileNotFoundError, StoreError):  # it changed meanwhile: a later scan finds it
            pass
        except OSError as error:
            self._postpone(ready, now, error)
        return None

    def _must_wait(self, ready: Ready, failure: Failure, now: float) -> bool:
        """Whether what is refused stays in the inbox, instead of becoming a failed job."""
        if failure.code == "backend_unavailable":
            self.inbox.holds.add(ready.name, now + BACKEND_PAUSE)  # it may work later
            return True
        if ready.recipe is not None:  # its pictures wait
            self.inbox.recipes.refuse_use(ready.recipe, failure)
            return True
        return False

    def _take(self, ready: Ready, plan: Plan, failure: Failure | None) -> Job | None:
        """Claim a sidecar; with lists, as a batch, whose jobs are staged in its folder."""
        try:
            made = (
                self._claims.claim_batch(ready, plan, self._free_name(ready, plan))
                if plan.axes
                else self._claims.claim(ready, plan.order, failure)
            )
        except (OSError, StoreError):
            self._store.needs_recovery = True
            raise
        self._full = ""
        self._overrides.discard(ready.name)
        if made is not None:
            self._turns.taken(ready.folder)
        if isinstance(made, Batch):
            self.claimed.append(made)
            return None
        if made is not None:
            log_claimed(made, self._store.paths(made.id).log)
        return made

    def _free_name(self, ready: Ready, plan: Plan) -> str:
        outbox, work = self._config.folder("outbox"), self._config.folder("work")
        return free_name(outbox, work, place_of(ready), plan.order.name)

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
        self.scans.again()
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
        is_read = self.scans.has_scanned and self.scans.lost is None
        may_come = self.inbox.pending > self._held
        return is_read and not self._ready and not may_come and not self.claimed

    def next_event(self, now: float) -> float:
        """When the inbox is scanned next, or 0 while something ready can be claimed at once."""
        return 0.0 if self._can_claim(now) else self.scans.next_scan

    def waitables(self) -> tuple[()]:
        """Nothing to wait on: the watcher wakes the loop."""
        return ()

    def close(self) -> None:
        """Stop the watcher."""
        self.scans.watcher.stop()
