"""What the scheduler keeps of a job while it waits and runs, and what it decides at its end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nstd.queue.job import Failure, Job
from nstd.queue.slots import Slot


@dataclass
class Waiting:
    """A job that waits, the time before which it does not start, and nodes to keep away from."""

    job: Job
    not_before: float = 0.0
    shunned: frozenset[str] = frozenset()

    @property
    def rank(self) -> tuple[int, float, str]:
        """Smaller runs first: by priority, then by age."""
        return -self.job.priority, self.job.submitted, self.job.id


@dataclass
class Running:
    """A dispatched job.

    `began` is when a worker took it, `reported` when it last moved. `sentence` is the failure
    with which it will end because it was cancelled or is overdue; `put_back` what becomes of it
    where it was stopped instead.
    """

    job: Job
    slot: Slot
    began: float | None = None
    reported: float = 0.0
    sentence: Failure | None = None
    put_back: Decision | None = None
    shunned: frozenset[str] = frozenset()

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end: nothing else is expected of it."""
        return self.sentence is not None or self.put_back is not None

    def deadlines(self, stall: float) -> tuple[float, float]:
        """When it has used up its time, and when it counts as hung.

        Never before a worker took it: how long that may take is for the executor to judge.
        """
        if self.began is None:
            return math.inf, math.inf
        return self.began + self.job.timeout, self.reported + stall


class Decision(StrEnum):
    """What becomes of a job whose attempt has ended."""

    PUBLISH = "publish"
    FAIL = "fail"
    RETRY = "retry"
    REQUEUE = "requeue"  # the attempt does not count
    RESTART = "restart"  # from its inputs, as if no attempt had been made


@dataclass(frozen=True)
class Verdict:
    """A decision, with what it needs to be carried out and told.

    `failure` is why the attempt ended, where it failed; `delay` is the wait before a retry.
    `device_down` is the pause, in seconds, of a breaker that opened. `shunned` are the nodes that
    had too little memory for the job.
    """

    job: Job
    slot: Slot
    decision: Decision
    failure: Failure | None = None
    delay: float = 0.0
    device_down: float | None = None
    device_up: bool = False
    shunned: frozenset[str] = frozenset()
