"""What the scheduler knows about a waiting or running job, and what it decides at its end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nstd.queue.job import Failure, Job
from nstd.queue.slots import Slot


@dataclass
class Waiting:
    """A waiting job, the earliest time of its start, and the nodes on which it must not run."""

    job: Job
    not_before: float = 0.0
    avoided: frozenset[str] = frozenset()

    @property
    def rank(self) -> tuple[int, float, str]:
        """The order of waiting jobs: by priority, then oldest first. Smaller values run first."""
        return -self.job.priority, self.job.submitted, self.job.id


@dataclass
class Running:
    """A dispatched job.

    `began` is when a worker took it, `reported` when it last reported progress. `forced_failure`
    is the failure with which it will end, because it was cancelled or is overdue. `stop_decision`
    is the decision about it when it was stopped to wait again.
    """

    job: Job
    slot: Slot
    began: float | None = None
    reported: float = 0.0
    forced_failure: Failure | None = None
    stop_decision: Decision | None = None
    avoided: frozenset[str] = frozenset()

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to end, for whatever reason."""
        return self.forced_failure is not None or self.stop_decision is not None

    @property
    def is_hung(self) -> bool:
        """Whether it will end because it reported no progress for too long."""
        return self.forced_failure is not None and self.forced_failure.code == "worker_hung"

    def deadlines(self, stall: float) -> tuple[float, float]:
        """The times at which its time limit is reached and at which it counts as hung.

        Infinity until a worker has taken it: the executor limits how long that may take.
        """
        if self.began is None:
            return math.inf, math.inf
        return self.began + self.job.timeout, self.reported + stall


class Decision(StrEnum):
    """What happens to a job whose attempt has ended."""

    PUBLISH = "publish"
    FAIL = "fail"
    RETRY = "retry"
    REQUEUE = "requeue"  # the attempt does not count
    RESTART = "restart"  # from its inputs, as if no attempt had been made


@dataclass(frozen=True)
class Resolution:
    """A decision, with all that is needed to carry it out and to log it.

    `failure` is why the attempt failed, if it did; `delay` is the wait before a retry, in seconds.
    `device_down` is the pause, in seconds, of a breaker that opened. `avoided` are the nodes with
    too little memory for the job.
    """

    job: Job
    slot: Slot
    decision: Decision
    failure: Failure | None = None
    delay: float = 0.0
    device_down: float | None = None
    device_up: bool = False
    avoided: frozenset[str] = frozenset()
