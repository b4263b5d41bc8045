"""What the scheduler knows about a waiting or running job, and what it decides at its end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from nstd.queue.job import Ending, Failure, Job, Outcome
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

    def is_due(self, now: float) -> bool:
        """Whether it may start at `now`."""
        return not self.job.held and self.not_before <= now


@dataclass
class Running:
    """A dispatched job.

    `began` is when a worker took it, or began the frame `frame` of a film; `reported` is when it
    last reported progress. `forced_failure`
    is the failure with which it will end, because it was cancelled or is overdue. `stop_decision`
    is the decision about it when it was stopped to wait again.
    """

    job: Job
    slot: Slot
    began: float | None = None
    reported: float = 0.0
    frame: int | None = None
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

    def end_if_overdue(self, now: float, stall: float) -> bool:
        """Decide that it will fail if one of its deadlines has passed; whether that is so."""
        time_limit, stalled = self.deadlines(stall)
        if now >= time_limit:
            self.forced_failure = _timed_out(self.job.timeout, is_film=self.job.film is not None)
        elif now >= stalled:
            self.forced_failure = _hung(stall)
        return self.forced_failure is not None

    def failure_of(self, outcome: Outcome) -> Failure | None:
        """The failure to report: why the attempt was ended, else the error that it met itself."""
        if outcome.ending is Ending.FINISHED:
            return None
        if self.forced_failure is not None:
            detail = outcome.failure.detail if outcome.failure else ""
            return self.forced_failure.model_copy(update={"detail": detail})
        if outcome.failure is None and self.stop_decision is None:
            message = f"{outcome.ending} without being asked to"
            return Failure(code="internal_error", message=message)
        return outcome.failure


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


def _timed_out(timeout: float, *, is_film: bool) -> Failure:
    what = "a frame was not done" if is_film else "not done"
    return Failure(
        code="timed_out",
        message=f"{what} after its time-out of {timeout:g} s",
        hint="raise `timeout` in the sidecar, or ask for a smaller size or a draft",
    )


def _hung(stall: float) -> Failure:
    return Failure(
        code="worker_hung",
        message=f"no progress for {stall:g} s; its worker was killed",
        hint="`detail` has the worker's last words; raise workers.stall if the backend is slow",
    )
