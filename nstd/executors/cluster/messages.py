"""What the daemon and the driver of a cluster say to each other, beside what workers say.

And what a node tells the driver: reports and the outcome, and the files that an attempt writes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from nstd.documents.model import Model
from nstd.documents.settings import ExecutorSettings, WorkerSettings
from nstd.executors.contract import Assignment, Begun
from nstd.executors.messages import Ended, Reported, Want


class Connect(Model):
    """To the driver, and first of all: join this cluster."""

    kind: Literal["connect"] = "connect"
    settings: ExecutorSettings


class SeatOrder(Model):
    """To the driver: an assignment for the place `device`."""

    kind: Literal["order"] = "order"
    assignment: Assignment
    device: str
    workers: WorkerSettings


class PlacesFound(Model):
    """From the driver, again and again: the places that there are now, on so many nodes."""

    kind: Literal["places"] = "places"
    places: tuple[str, ...]
    nodes: int


class SeatStarted(Model):
    """From the driver: the worker at `device` came up within so many seconds."""

    kind: Literal["started"] = "started"
    device: str
    pid: int
    seconds: float


class SeatEnded(Model):
    """From the driver: the worker at `device` is gone."""

    kind: Literal["ended"] = "ended"
    device: str
    pid: int
    reason: str


class ClusterFailed(Model):
    """From the driver, and last of all: the cluster cannot be used."""

    kind: Literal["failed"] = "failed"
    reason: str


class FileWritten(Model):
    """From a node: a file of the job's folder; only one that is not durable may be lost."""

    kind: Literal["file"] = "file"
    name: str
    data: bytes
    durable: bool


ToDriver = Connect | SeatOrder | Want
FromDriver = PlacesFound | Begun | Reported | Ended | SeatStarted | SeatEnded | ClusterFailed
News = Reported | FileWritten | Ended
TO_DRIVER: TypeAdapter[ToDriver] = TypeAdapter(Annotated[ToDriver, Field(discriminator="kind")])
FROM_DRIVER: TypeAdapter[FromDriver] = TypeAdapter(
    Annotated[FromDriver, Field(discriminator="kind")]
)
NEWS: TypeAdapter[News] = TypeAdapter(Annotated[News, Field(discriminator="kind")])
