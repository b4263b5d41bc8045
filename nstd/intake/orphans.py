"""Sidecars whose pictures have not come: how long they have waited, and which names are similar."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nstd.errors import SidecarError, printable
from nstd.intake import notes
from nstd.intake.locator import Locator
from nstd.logs.log import emit
from nstd.queue.inbox_note import MOST_NOTES, InboxNote
from nstd.system.nofollow import Signature

WARN_AFTER = 60.0
"""Seconds after which a missing picture is logged as a warning: a copy does not take that long."""
_BUDGET = 0.1
"""Seconds that one scan spends on searching for similar names; there may be thousands of files."""


@dataclass
class _Orphan:
    since: float  # of the monotonic clock
    arrived: float  # in seconds since the epoch
    missing: list[str]
    nearest: dict[str, str] = field(default_factory=dict)  # by missing picture
    seen: int = -1  # how many files the inbox had when `nearest` was searched for
    is_late: bool = False


class Orphans:
    """The sidecars that wait for pictures."""

    def __init__(self) -> None:
        self._all: dict[str, _Orphan] = {}
        self._spent = 0.0

    def begin(self) -> None:
        """Start a scan."""
        self._spent = 0.0

    def add(
        self,
        name: str,
        signature: Signature,
        missing: list[str],
        locator: Locator,
        seen: int,
        now: float,
    ) -> float:
        """Note that a sidecar waits; returns since when, in seconds of the monotonic clock.

        This is logged once, and once more, as a warning, after `WARN_AFTER` seconds. `seen` is the
        number of files in the inbox: when it changes, another name may be the most similar.
        """
        arrived = min(signature.ctime_ns / 1e9, time.time())
        orphan = self._all.get(name) or _Orphan(now, arrived, [])
        self._all[name] = orphan
        is_late, is_new = now - orphan.since >= WARN_AFTER, orphan.missing != missing
        if (is_new or orphan.seen != seen) and self._spent < _BUDGET:
            self._find_nearest(name, orphan, missing, locator, seen)
        if is_new or is_late != orphan.is_late:
            more = {"nearest": orphan.nearest} if orphan.nearest else {}
            late = {"waited": round(now - orphan.since, 1)} if is_late else {}
            emit("inbox.waiting", sidecar=printable(name), missing=missing, **more, **late)
        orphan.missing, orphan.is_late, orphan.arrived = missing, is_late, arrived
        return orphan.since

    def _find_nearest(
        self, name: str, orphan: _Orphan, missing: Sequence[str], locator: Locator, seen: int
    ) -> None:
        began = time.monotonic()
        orphan.nearest, orphan.seen = notes.nearest_names(locator, name, missing), seen
        self._spent += time.monotonic() - began

    def remove(self, name: str) -> None:
        """Forget a sidecar, because all its pictures are there."""
        self._all.pop(name, None)

    def forget(self, names: set[str], hidden: tuple[str, ...]) -> None:
        """Keep only the sidecars of these names, and those in folders that are `hidden` now."""
        for gone in self._all.keys() - names:
            if not gone.startswith(hidden):
                del self._all[gone]

    def notes(self) -> Iterator[InboxNote]:
        """A note for each, the longest waiting first; at most as many as are shown."""
        longest = sorted(self._all.items(), key=lambda item: item[1].arrived)
        for name, each in longest[:MOST_NOTES]:
            yield notes.waiting(name, each.missing, each.nearest, each.arrived)


def did_not_come(name: str, missing: list[str], locator: Locator, taker: str) -> SidecarError:
    """The error of a sidecar that has waited too long; `taker` may have taken the pictures."""
    nearest = notes.nearest_names(locator, name, missing)
    several = len(missing) > 1
    meant = ", ".join(
        f"{near!r} for {each!r}" if several else repr(near) for each, near in nearest.items()
    )
    return SidecarError(
        "picture_missing",
        f"{printable(name)}: {', '.join(map(repr, missing))} did not come in time"
        + (f", or was taken by {taker}" if taker else ""),
        (f"did you mean {meant}? " if meant else "")
        + "put the picture into the inbox, then run `nstd retry` for this job",
    )
