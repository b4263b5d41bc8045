"""Whether a file is complete: its signature did not change for a while of the monotonic clock.

A close is not completion: scanners and network clients close and reopen a file seconds apart,
and many mounts tell nothing at all. So a file is looked at, and looked at again.
"""

from __future__ import annotations

from nstd.system.nofollow import Signature


class Stability:
    """What each file looked like, and since when; forgets files that a look did not meet."""

    def __init__(self, settle: float) -> None:
        self.settle = settle
        self._seen: dict[str, tuple[Signature, float]] = {}
        self._before = self._seen
        self._deadlines: list[float] = []
        self._now = 0.0

    def begin(self, now: float) -> None:
        """Start a look at the time `now`, in seconds of the monotonic clock."""
        self._before, self._seen = self._seen, {}
        self._deadlines, self._now = [], now

    def is_stable(self, key: str, signature: Signature) -> bool:
        """Whether the file has been as it is for long enough to trust it."""
        known = self._seen.get(key) or self._before.get(key)
        since = known[1] if known and known[0] == signature else self._now
        self._seen[key] = (signature, since)
        if self._now - since >= self.settle:
            return True
        self.look_again(since + self.settle)
        return False

    def look_again(self, at: float) -> None:
        """Remember that a look at the time `at` may find something new."""
        self._deadlines.append(at)

    @property
    def deadline(self) -> float:
        """The earliest time at which something that is not yet stable may be."""
        return min(self._deadlines, default=float("inf"))
