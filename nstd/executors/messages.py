"""The messages between the daemon and its workers: one model for each kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from nstd.documents.model import Model
from nstd.executors.contract import Assignment, Begun
from nstd.queue.job import Outcome
from nstd.queue.progress import Report


class Assign(Model):
    """To a worker: run this attempt."""

    kind: Literal["assign"] = "assign"
    assignment: Assignment


class EndAttempt(Model):
    """To a worker: end the attempt of `job`; for `stop`, save it first.

    The driver of a cluster kills the worker after `grace` seconds.
    """

    kind: Literal["want"] = "want"
    job: str
    how: Literal["cancel", "stop"]
    grace: float = 0.0


class WorkerReady(Model):
    """From a worker: it is ready for a job."""

    kind: Literal["ready"] = "ready"
    pid: int


class Reported(Model):
    """From a worker: the progress of its job."""

    kind: Literal["report"] = "report"
    report: Report


class Ended(Model):
    """From a worker: the attempt has ended."""

    kind: Literal["outcome"] = "outcome"
    outcome: Outcome


ToWorker = Assign | EndAttempt
FromWorker = WorkerReady | Begun | Reported | Ended
TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(Annotated[ToWorker, Field(discriminator="kind")])
FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(
    Annotated[FromWorker, Field(discriminator="kind")]
)
