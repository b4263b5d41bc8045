"""Forgets pictures of recipes that have been gone for long, a little in each turn of the loop."""

from __future__ import annotations

import time
from collections.abc import Iterator

from nstd.documents.config import Config
from nstd.intake.made import Made
from nstd.logs.throttle import DiskErrors

_INTERVAL, _BUDGET = 3600.0, 0.1
"""How often all notes are looked through, and for how long in one turn, in seconds."""


class Forgetting:
    """Looks through the notes of what is made, so that they stay few."""

    def __init__(self, made: Made, disk_errors: DiskErrors) -> None:
        self._made, self._disk_errors = made, disk_errors
        self._steps: Iterator[None] = iter(())
        self._due = 0.0

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._longest = config.jobs.remember

    def work(self, now: float) -> None:
        """Go on for a moment; `now` is in seconds of the monotonic clock."""
        if now >= self._due:
            self._steps, self._due = self._made.tidy(self._longest), now + _INTERVAL
        try:
            for _ in self._steps:
                if time.monotonic() > now + _BUDGET:
                    return
        except OSError as error:
            self._steps = iter(())
            self._disk_errors.log(error, str(self._made.path))
