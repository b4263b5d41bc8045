"""What the scheduler decides when an attempt has ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from nstd.queue.job import Failure, Job
from nstd.queue.slots import Slot


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
