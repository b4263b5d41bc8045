"""Messages between the daemon and the driver of a cluster, in addition to those of workers.

Also the messages from a node to the driver: reports, the outcome, and the files of an attempt.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from nstd.documents.model import Model
from nstd.documents.settings import ExecutorSettings, WorkerSettings
from nstd.executors.contract import Assignment, Begun
from nstd.executors.messages import EndAttempt, Ended, Reported


class Connect(Model):
    """To the driver, as the first message: join this cluster."""

    kind: Literal["connect"] = "connect"
    settings: ExecutorSettings


class RunAttempt(Model):
    """To the driver: an assignment for the place `device`."""

    kind: Literal["order"] = "order"
    assignment: Assignment
    device: str
    workers: WorkerSettings


class Reload(Model):
    """To the driver: replace the workers, the busy ones after their jobs."""

    kind: Literal["reload"] = "reload"


class PlacesFound(Model):
    """From the driver, regularly: the places of the cluster, and the number of its nodes."""

    kind: Literal["places"] = "places"
    places: tuple[str, ...]
    nodes: int


class RemoteWorkerStarted(Model):
    """From the driver: the worker at `device` has started, in `seconds` seconds."""

    kind: Literal["started"] = "started"
    device: str
    pid: int
    seconds: float


class RemoteWorkerEnded(Model):
    """From the driver: the worker at `device` has ended."""

    kind: Literal["ended"] = "ended"
    device: str
    pid: int
    reason: str


class ClusterFailed(Model):
    """From the driver, as the last message: the cluster cannot be used."""

    kind: Literal["failed"] = "failed"
    reason: str


class FileWritten(Model):
    """From a node: a file for the job's folder; it may be lost only if it is not `durable`."""

    kind: Literal["file"] = "file"
    name: str
    data: bytes
    durable: bool


ToDriver = Connect | RunAttempt | EndAttempt | Reload
FromDriver = (
    PlacesFound | Begun | Reported | Ended | RemoteWorkerStarted | RemoteWorkerEnded | ClusterFailed
)
FromNode = Reported | FileWritten | Ended
TO_DRIVER: TypeAdapter[ToDriver] = TypeAdapter(Annotated[ToDriver, Field(discriminator="kind")])
FROM_DRIVER: TypeAdapter[FromDriver] = TypeAdapter(
    Annotated[FromDriver, Field(discriminator="kind")]
)
FROM_NODE: TypeAdapter[FromNode] = TypeAdapter(Annotated[FromNode, Field(discriminator="kind")])
