"""What lasts is told once, and again only when it changes, comes back, or has lasted for long."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable

from nstd.errors import printable
from nstd.logs.log import emit
from nstd.system.durable import is_full

TELL_AGAIN = 600.0
"""Seconds after which a trouble of a disk that lasts is told once more."""


class Throttle:
    """Remembers what was told, and for `again` seconds; for ever without a number."""

    def __init__(self, again: float = math.inf) -> None:
        self._again = again
        self._told: dict[Hashable, tuple[object, float]] = {}
        self._mentioned: set[Hashable] = set()

    def is_news(self, key: Hashable, what: object = None) -> bool:
        """Whether `what` was not yet told of `key`, or not of late; counts as told from now on."""
        now = time.monotonic()
        self._mentioned.add(key)
        what_before, when = self._told.get(key, (None, -math.inf))
        if now - when < self._again and what_before == what:
            return False
        self._told = {k: told for k, told in self._told.items() if now - told[1] < self._again}
        self._told[key] = what, now
        return True

    def begin(self) -> None:
        """Start a look; what the last one did not mention is over, and forgotten."""
        self._told = {key: told for key, told in self._told.items() if key in self._mentioned}
        self._mentioned.clear()


class Trouble:
    """Tells of disks that fail; the whole daemon shares one."""

    def __init__(self) -> None:
        self._throttle = Throttle(TELL_AGAIN)

    def tell(self, error: OSError, path: str, *, job: str = "") -> None:
        """Tell that `error` befell `path`, as `disk.full` or `disk.failed`, unless it was told.

        A full disk fails everything at once, so it is one trouble whatever the path is. Where the
        error itself names a file, that one is told.
        """
        full = is_full(error)
        if not self._throttle.is_news((0, "") if full else (error.errno, path)):
            return
        words = {"path": printable(str(error.filename or path)), "error": printable(str(error))}
        emit("disk.full" if full else "disk.failed", **words, **({"job": job} if job else {}))
