"""A circuit breaker per device: a device that keeps failing gets no jobs for a while.

One job that kills its worker again and again is the job's fault; the breaker opens when several
jobs in a row fail, or when the device does not even start. How far a failure speaks against the
device, and not against the job or its backend, is its `Blame`. After its pause, an open breaker
lets one job through as a trial: if possible, a job that did not run when the device went down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nstd.documents.settings import WorkerSettings
from nstd.system.backoff import backoff

LONGEST = 600.0
"""The longest pause of a device, in seconds."""


class Blame(Enum):
    """How far a failure speaks against the device."""

    SURE = "sure"  # it said so, it did not start, or the backend does well on other devices
    DOUBTFUL = "doubtful"  # the worker died or hung, though the backend has done well here
    NONE = "none"  # the worker dies or hangs wherever the job, or its backend, is tried


_JOBS_IN_DOUBT = 3
"""How many times as many jobs have to fail in a row where the device may have no part in it."""


@dataclass
class Breaker:
    """The state of one device. Times are in seconds of the caller's clock."""

    settings: WorkerSettings
    failures: int = 0
    retry_at: float | None = None
    trial: str | None = None  # the job that tests whether an open breaker may close
    _culprits: set[str] = field(default_factory=set)
    _openings: int = 0  # in a row

    @property
    def is_open(self) -> bool:
        """Whether the device is down."""
        return self.retry_at is not None

    def admits(self, now: float) -> bool:
        """Whether a job may start: the device is up, or it is time for a trial."""
        if self.retry_at is None:
            return True
        return now >= self.retry_at and self.trial is None

    def is_culprit(self, job: str) -> bool:
        """Whether the device went down during attempts of the job, so that another should try."""
        return self.is_open and job in self._culprits

    def start(self, job: str) -> None:
        """A job starts on the device."""
        if self.is_open:
            self.trial = job

    def release(self, job: str) -> None:
        """A job ended in a way that says nothing about the device."""
        if self.trial == job:
            self.trial = None

    def success(self) -> bool:
        """A job ended without a fault of the device; True when this brings the device up again."""
        came_up = self.is_open
        self.failures, self._openings, self.retry_at, self.trial = 0, 0, None, None
        self._culprits.clear()
        return came_up

    def failure(
        self, job: str, now: float, *, at_start: bool = False, blame: Blame = Blame.SURE
    ) -> float | None:
        """A job ended by a fault of the device or its worker.

        Returns the pause in seconds when this opens the breaker, else None. Jobs that already ran
        when the breaker opened do not lengthen its pause: only a failed trial does.
        """
        self.failures += 1
        self._culprits.add(job)
        if blame is Blame.NONE:
            self.release(job)
            return None
        if self.is_open:
            return self._open(now) if self.trial == job else None
        return self._open(now) if self._is_enough(blame, at_start=at_start) else None

    def _is_enough(self, blame: Blame, *, at_start: bool) -> bool:
        needed, jobs = self.settings.failures, len(self._culprits)
        if blame is Blame.DOUBTFUL:
            return jobs >= needed * _JOBS_IN_DOUBT
        return (jobs > 1 or at_start) and self.failures >= needed

    def _open(self, now: float) -> float:
        self._openings += 1
        pause = backoff(self._openings, self.settings.cooldown, LONGEST)
        self.retry_at, self.trial = now + pause, None
        return pause
