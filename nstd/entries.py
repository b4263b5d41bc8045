"""What the scheduler keeps of a job: while it waits, and while it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nstd.job import Failure, Job
from nstd.slots import Slot
from nstd.verdict import Decision


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
