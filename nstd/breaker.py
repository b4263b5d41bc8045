"""A circuit breaker per device: one that keeps failing is left alone for a while.

One job that kills its worker again and again is the job's fault; the breaker opens when several
jobs in a row fail, or when the device does not even start.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST = 600.0


@dataclass
class Breaker:
    """The state of one device; times are seconds of the monotonic clock."""

    limit: int
    cooldown: float
    failures: int = 0
    culprits: set[str] = field(default_factory=set)
    openings: int = 0
    retry_at: float | None = None
    trying: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the device is down."""
        return self.retry_at is not None

    def admits(self, now: float) -> bool:
        """Whether a job may start: the device is up, or it is time to try it with one job."""
        if self.retry_at is None:
            return True
        return now >= self.retry_at and not self.trying

    def start(self) -> None:
        """A job starts on the device."""
        self.trying = self.is_open

    def release(self) -> None:
        """A job ended in a way that says nothing about the device."""
        self.trying = False

    def success(self) -> bool:
        """A job did not fail by the device; True when that brings the device up again."""
        came_up = self.is_open
        self.failures, self.openings, self.retry_at, self.trying = 0, 0, None, False
        self.culprits.clear()
        return came_up

    def failure(self, job: str, now: float, *, at_start: bool = False) -> bool:
        """A job failed by the device or its worker; True when that takes the device down."""
        self.failures += 1
        self.culprits.add(job)
        several = len(self.culprits) > 1 or at_start
        if not self.is_open and (self.failures < self.limit or not several):
            return False
        self.retry_at, self.trying = now + self.pause, False
        self.openings += 1
        return True

    @property
    def pause(self) -> float:
        """How long the device will be left alone when it fails now; doubles each time."""
        return float(min(LONGEST, self.cooldown * 2**self.openings))
