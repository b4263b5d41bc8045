"""Changes of what waits, which people ask for: to hold it, to release it, another priority."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Any

from nstd.daemon.batches import Batches
from nstd.intake import Admission
from nstd.logs.log import emit
from nstd.queue import Job, JobStore, Scheduler
from nstd.queue.lookup import claimed_from, members_of

NOT_THERE = "no such job waits or runs"
RUNS = "it runs already"


class WaitingChanges:
    """Changes jobs, each durably in its `job.json`, and sidecars that are still in the inbox."""

    def __init__(
        self, store: JobStore, scheduler: Scheduler, batches: Batches, admission: Admission
    ) -> None:
        self._store, self._scheduler = store, scheduler
        self._batches, self._admission = batches, admission

    def apply(self, name: str, changes: Mapping[str, Any], now: float) -> str:
        """Set the fields `changes` of the job or batch with the id `name`, or the sidecar `name`.

        Again, it changes nothing more. Returns why it cannot be done, or an empty string. Raises
        OSError when the disk fails.
        """
        if name in self._batches:
            return self._apply_to_batch(name, changes, now)
        if name in self._scheduler:
            return self._apply_to_jobs([name], changes)
        if self._admission.override(name, changes):
            return ""
        # It may have been claimed after it was seen in the inbox.
        if batch_id := self._batches.claimed_from(name):
            return self._apply_to_batch(batch_id, changes, now)
        return self._apply_to_jobs(claimed_from(self._scheduler, name), changes)

    def _apply_to_batch(self, batch_id: str, changes: Mapping[str, Any], now: float) -> str:
        self._batches.release(now, budget=float("inf"))
        if self._batches.is_staged(batch_id):  # those members would start all the same
            path = os.fspath(self._store.batch(batch_id).staged)
            raise OSError(errno.EAGAIN, "members could not be moved into work yet", path)
        return self._apply_to_jobs(members_of(self._scheduler, batch_id), changes)

    def _apply_to_jobs(self, ids: list[str], changes: Mapping[str, Any]) -> str:
        waiting = [self._scheduler.waiting[each] for each in ids if each in self._scheduler.waiting]
        for entry in waiting:
            self._change(entry.job, changes)
        return "" if waiting else RUNS if ids else NOT_THERE

    def _change(self, job: Job, changes: Mapping[str, Any]) -> None:
        changed = job.model_copy(update=dict(changes))
        if changed != job:
            self._store.save(changed)
            self._scheduler.change(changed)
            emit("job.changed", job=job.id, held=changed.held, priority=changed.priority)
