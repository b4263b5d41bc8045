"""A run of the daemon with `once`: when it has no more work that it can do, and how that ends."""

from __future__ import annotations

import time

from nstd.daemon.pipeline import Pipeline
from nstd.documents.config import Config
from nstd.errors import StoreError, printable

_PATIENCE = 5.0
"""Seconds that the run waits for an inbox that cannot be read."""


class OnceRun:
    """Looks at the pipeline; does nothing itself."""

    def __init__(self, config: Config, pipeline: Pipeline) -> None:
        self._inbox, self._pipeline = config.folder("inbox"), pipeline

    def is_over(self) -> bool:
        """Whether nothing is left to be done now. Held jobs are not waited for."""
        is_over = self._cannot_scan() or self._pipeline.has_no_input or self._may_not_start()
        return self._pipeline.is_idle and is_over

    def check(self) -> None:
        """Raise StoreError when the run has ended early: `io_error` because the inbox cannot be
        read, `paused` because the jobs that are left may not start now."""
        admission, pause = self._pipeline.admission, self._pipeline.scheduler.start_pause
        if self._cannot_scan():
            raise StoreError(
                "io_error",
                f"the inbox {printable(self._inbox)} cannot be read: {admission.scans.lost}",
                "`nstd doctor` looks at folders, disks and rights",
            )
        if pause is not None and self._may_not_start():
            ends = "the config says when, in `schedule`"
            hint = ends if pause.cause == "schedule" else "`nstd resume` ends the pause"
            raise StoreError("paused", f"no job is started: {pause.describe()}", hint)

    def _cannot_scan(self) -> bool:
        return self._pipeline.admission.scans.lost_for(time.monotonic()) > _PATIENCE

    def _may_not_start(self) -> bool:
        """Whether there is work, and no job may start."""
        scheduler = self._pipeline.scheduler
        has_work = scheduler.has_free or not self._pipeline.has_no_input
        return scheduler.start_pause is not None and has_work
