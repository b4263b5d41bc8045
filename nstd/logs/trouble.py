"""Tells of disks that fail: the same trouble once in a while, not at every operation."""

from __future__ import annotations

import time

from nstd.errors import printable
from nstd.logs.log import emit
from nstd.system.durable import is_full

TELL_AGAIN = 600.0
"""Seconds after which a trouble that lasts is told once more."""


class Trouble:
    """What was told of late; the whole daemon shares one."""

    def __init__(self) -> None:
        self._told: dict[tuple[int | None, str], float] = {}

    def tell(self, error: OSError, path: str, *, job: str = "") -> None:
        """Tell that `error` befell `path`, as `disk.full` or `disk.failed`.

        Where the error itself names a file, that one is told.

        A full disk fails everything at once, so it is one trouble whatever the path is.
        """
        now, full = time.monotonic(), is_full(error)
        self._told = {kind: when for kind, when in self._told.items() if now - when < TELL_AGAIN}
        kind = (0, "") if full else (error.errno, path)
        if kind in self._told:
            return
        self._told[kind] = now
        words = {"path": printable(str(error.filename or path)), "error": printable(str(error))}
        emit("disk.full" if full else "disk.failed", **words, **({"job": job} if job else {}))
