"""When the inbox is scanned, what the last scan found, and since when it cannot be read."""

from __future__ import annotations

import time
from collections.abc import Callable

from nstd.documents.config import Config
from nstd.errors import printable
from nstd.intake.inbox import Inbox
from nstd.intake.ready import Ready
from nstd.intake.watcher import Watcher
from nstd.logs.log import emit
from nstd.queue.inbox_note import InboxNote
from nstd.queue.recipe_state import RecipeState

REST_FACTOR = 4
"""The least pause between two scans, as a multiple of the time that a scan takes."""
LOST_SCAN_INTERVAL = 1.0
"""The longest time, in seconds, between scans of an inbox that cannot be read."""


class ScanSchedule:
    """Scans the inbox when it is time. Times are in seconds of the monotonic clock."""

    def __init__(self, config: Config, inbox: Inbox, wake: Callable[[], None]) -> None:
        """`wake` is called, from any thread, when something changes in the inbox."""
        self._inbox, self._wake = inbox, wake
        self.watcher = Watcher(config.folder("inbox"), config.watch, wake)
        self.found: list[Ready] = []
        """What can be claimed, as of the last scan."""
        self.notes: list[InboxNote] = []
        """Notes about files of the last scan that will not become jobs as they are."""
        self.recipes: list[RecipeState] = []
        """The folders with a recipe in the last scan."""
        self.has_scanned = False
        """Whether there was a scan since the beginning, or since `again`."""
        self.next_scan = self._spent = 0.0
        self.lost: OSError | None = None
        """Why the inbox cannot be read."""
        self._lost_since = 0.0

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self.watcher.stop()
        self.watcher = Watcher(config.folder("inbox"), config.watch, self._wake)

    def soon(self) -> None:
        """Something changed in the inbox: scan it soon, but with a pause since the last scan."""
        soonest = time.monotonic() + max(0.1, REST_FACTOR * self._spent)
        self.next_scan = min(self.next_scan, soonest)

    def again(self) -> None:
        """Scan the inbox at once; it does not count as empty until then."""
        self.has_scanned, self.next_scan = False, 0.0

    def work(self, now: float) -> bool:
        """Scan the inbox if it is time; whether that was done, even in vain."""
        if now < self.next_scan:
            return False
        self.watcher.check()
        try:
            self.found = self._inbox.ready(now)
            self.notes, self.recipes = self._inbox.notes(), self._inbox.folders.states
            self._note_lost(None, now)
        except OSError as error:
            self.found = []
            self._note_lost(error, now)
        self.has_scanned = True
        self._spent = time.monotonic() - now
        deadline = now + LOST_SCAN_INTERVAL if self.lost else self._inbox.deadline
        soon = min(deadline, now + self.watcher.interval)
        self.next_scan = max(soon, now + 0.05, now + REST_FACTOR * self._spent) + self._spent
        return True

    def lost_for(self, now: float) -> float:
        """For how many seconds the inbox could not be read; 0 while it can."""
        return now - self._lost_since if self.lost else 0.0

    def _note_lost(self, error: OSError | None, now: float) -> None:
        path = printable(self._inbox.root.path)
        if error is not None and not self.lost:
            self._lost_since = now
            emit("inbox.lost", path=path, error=printable(str(error)))
        if error is None and self.lost:
            emit("inbox.back", path=path)
        self.lost = error
