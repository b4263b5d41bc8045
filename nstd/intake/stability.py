"""Whether a file is complete: its signature has not changed for some time (monotonic clock).

A closed file need not be complete: scanners and network clients close a file and open it again
seconds later, and many filesystems report no events. So the signature is read repeatedly.
"""

from __future__ import annotations

from nstd.system.nofollow import Signature


class Stability:
    """The signature of each file, and since when; forgets files that were not in the last scan."""

    def __init__(self, settle: float) -> None:
        self.settle = settle
        self._seen: dict[str, tuple[Signature, float]] = {}
        self._before = self._seen
        self._deadlines: list[float] = []
        self._now = 0.0

    def begin(self, now: float) -> None:
        """Start a scan at the time `now`, in seconds of the monotonic clock."""
        self._before, self._seen = self._seen, {}
        self._deadlines, self._now = [], now

    def is_stable(self, key: str, signature: Signature, settle: float | None = None) -> bool:
        """Whether the file has not changed for the settle time, or for `settle` seconds."""
        wait = self.settle if settle is None else settle
        known = self._seen.get(key) or self._before.get(key)
        since = known[1] if known and known[0] == signature else self._now
        self._seen[key] = (signature, since)
        if self._now - since >= wait:
            return True
        self.check_again(since + wait)
        return False

    def check_again(self, at: float) -> None:
        """Remember that a scan at the time `at` may find something new."""
        self._deadlines.append(at)

    @property
    def deadline(self) -> float:
        """The earliest time at which a file that is not stable yet may be stable."""
        return min(self._deadlines, default=float("inf"))
