"""What a scan of the inbox could not read, and whether the error may soon pass by itself."""

from __future__ import annotations

from collections.abc import Iterator

from nstd.errors import printable
from nstd.intake import notes
from nstd.intake.stability import Stability
from nstd.logs.log import emit
from nstd.logs.throttle import Throttle
from nstd.queue.inbox_note import InboxNote

_AGAIN = 1.0
"""Seconds until a file that could not be read is tried again."""
_PASSING = 5.0
"""Seconds for which a disk error is treated as temporary."""


class Unreadable:
    """The files and folders that this scan could not read. Times are of the monotonic clock."""

    def __init__(self, stability: Stability) -> None:
        self._stability, self._throttle = stability, Throttle()
        self._errors: dict[str, Exception] = {}
        self._since: dict[str, float] = {}
        self._before = self._since  # those of the scan before
        self._now = 0.0

    def begin(self, now: float) -> None:
        """Start a scan."""
        self._throttle.begin()
        self._now, self._errors = now, {}
        self._before, self._since = self._since, {}

    def may_pass(self, name: str, error: Exception) -> bool:
        """Log that a file or folder cannot be read; whether that may soon pass by itself."""
        if self._throttle.is_new(name, str(error)):
            emit("inbox.unreadable", path=printable(name), error=printable(str(error)))
        self._errors[name] = error
        since = self._since[name] = self._before.get(name, self._now)
        is_of_disk = isinstance(error, OSError) and not isinstance(error, PermissionError)
        if not is_of_disk or self._now - since > _PASSING:
            return False
        self._stability.check_again(self._now + _AGAIN)
        return True

    def notes(self) -> Iterator[InboxNote]:
        """A note for each."""
        for name, error in self._errors.items():
            yield notes.unreadable(name, error)
