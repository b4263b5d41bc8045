"""Throttles messages: a lasting condition is logged once, and again when it changes, when it comes
back, or after a long time."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable

from nstd.errors import printable
from nstd.logs.log import emit
from nstd.system.primitives import is_full

LOG_AGAIN = 600.0
"""Seconds after which a lasting disk error is logged again."""


class Throttle:
    """Remembers for `again` seconds what was logged; without a number, for ever."""

    def __init__(self, again: float = math.inf) -> None:
        self._again = again
        self._logged: dict[Hashable, tuple[object, float]] = {}
        self._mentioned: set[Hashable] = set()

    def is_new(self, key: Hashable, what: object = None) -> bool:
        """Whether `what` was not logged for `key` yet, or long ago; from now on it counts as
        logged."""
        now = time.monotonic()
        self._mentioned.add(key)
        what_before, when = self._logged.get(key, (None, -math.inf))
        if now - when < self._again and what_before == what:
            return False
        self._logged = {
            k: entry for k, entry in self._logged.items() if now - entry[1] < self._again
        }
        self._logged[key] = what, now
        return True

    def begin(self) -> None:
        """Start a round of checks; keys that the last round did not mention are forgotten."""
        self._logged = {key: entry for key, entry in self._logged.items() if key in self._mentioned}
        self._mentioned.clear()


class DiskErrors:
    """Logs disk errors; the whole daemon shares one instance."""

    def __init__(self) -> None:
        self._throttle = Throttle(LOG_AGAIN)

    def log(self, error: OSError, path: str, *, job: str = "") -> None:
        """Log `error` about `path` as `disk.full` or `disk.failed`, unless it was logged already.

        A full disk fails everything at once, so it is logged once, whatever the path. If the error
        itself names a file, that name is logged.
        """
        full = is_full(error)
        if not self._throttle.is_new((0, "") if full else (error.errno, path)):
            return
        words = {"path": printable(str(error.filename or path)), "error": printable(str(error))}
        emit("disk.full" if full else "disk.failed", **words, **({"job": job} if job else {}))
