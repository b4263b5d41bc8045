"""What the daemon and its workers say to each other: a model for each kind of message."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from nstd.documents.model import Model
from nstd.executors.contract import Assignment, Begun
from nstd.queue.job import Outcome
from nstd.queue.progress import Report


class Assign(Model):
    """To a worker: make this attempt."""

    kind: Literal["assign"] = "assign"
    assignment: Assignment


class Want(Model):
    """To a worker: end the attempt of `job`, and save it first where it is to `stop`.

    A driver kills the job's worker after `grace` seconds.
    """

    kind: Literal["want"] = "want"
    job: str
    wanted: Literal["cancel", "stop"]
    grace: float = 0.0


class Ready(Model):
    """From a worker: it is up."""

    kind: Literal["ready"] = "ready"
    pid: int


class Reported(Model):
    """From a worker: how far the job is."""

    kind: Literal["report"] = "report"
    report: Report


class Ended(Model):
    """From a worker: the attempt is over."""

    kind: Literal["outcome"] = "outcome"
    outcome: Outcome


ToWorker = Assign | Want
FromWorker = Ready | Begun | Reported | Ended
TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(Annotated[ToWorker, Field(discriminator="kind")])
FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(
    Annotated[FromWorker, Field(discriminator="kind")]
)
