"""What a job is: its effective settings, its inputs, and how its attempts end."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from pydantic import Field

from nstd.documents.film import FilmSettings
from nstd.documents.model import (
    BATCH_ID,
    Membership,
    Model,
    OutputFormat,
    Role,
    StoredModel,
    Text,
    Version,
)
from nstd.errors import CODES, NstdError
from nstd.system.nofollow import Signature

JOB_ID = re.compile(rf"{BATCH_ID.pattern}(-\d{{3}})?")
"""The id of a single job; or the id of a batch and a number, for a member of the batch."""


_numbers = itertools.count(secrets.randbelow(2**24))
_STRIDE = 0x9E3779  # odd: all 24-bit numbers occur; successive ones differ in the first digit


def new_job_id() -> str:
    """An id that sorts by time and that this process makes only once: `20261123-081500-3f9a1c`.

    Random numbers would collide: with hundreds of jobs in a second, once in some minutes.
    """
    number = next(_numbers) * _STRIDE % 2**24
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + f"{number:06x}"


class Input(StoredModel):
    """One picture of a job, as copied into its folder."""

    role: Role
    style: int | None = None  # the number of the style that it belongs to, from 0
    source: str  # the name in the sidecar
    file: str  # the name inside the job's folder
    sha256: str
    bytes: int
    weight: float = 1.0
    scale: float = 1.0
    origin: str | None = None  # its name in the inbox, when it came from there
    signature: Signature | None = None  # of the file in the inbox, as it was claimed
    # the frame of a film that is meant, from 0
    frame: int | None = Field(default=None, exclude_if=lambda value: value is None)
    # of a style in a film, in seconds of the result: from when, and until when it counts
    begin: float | None = Field(default=None, exclude_if=lambda value: value is None)
    end: float | None = Field(default=None, exclude_if=lambda value: value is None)


class Failure(StoredModel):
    """Why an attempt or a job failed, in the words that the user reads."""

    code: str
    message: Text
    hint: Text = ""
    detail: Text = ""
    device: str = ""  # the device of the attempt that ended the job

    @classmethod
    def of(cls, error: NstdError) -> Failure:
        """The failure that `error` describes."""
        return cls(code=error.code, message=error.message, hint=error.hint)

    @property
    def retryable(self) -> bool:
        """Whether another attempt may succeed."""
        return CODES[self.code].retryable


class Job(StoredModel):
    """A claimed job: the whole content of `job.json`, durable before anything is done with it.

    `attempt` counts dispatched attempts, `running` says that one has not ended, and `crashes`
    counts the attempts during which the daemon itself died. `target` is the name in the outbox,
    set just before publication, so that a restarted daemon knows whether that has happened.
    `frames` are those of a film that were there when the attempt began.
    """

    id: str
    name: str
    folder: str  # sub-folder of the inbox, mirrored in the outbox; "" at the top
    sidecar: str  # the sidecar's file name
    backend: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    size: int | None = None
    enlarge: bool = False  # whether a content that is smaller than `size` is brought to it
    format: OutputFormat = "png"
    priority: int = 50
    timeout: float = 0.0  # of a film: for each of its frames
    film: FilmSettings | None = Field(default=None, exclude_if=lambda value: value is None)
    frames: int = Field(default=0, exclude_if=lambda value: not value)
    inputs: tuple[Input, ...] = ()
    submitted: float  # seconds since the epoch, as all times here
    claimed: float
    attempt: int = 0
    running: bool = False
    crashes: int = 0
    target: str | None = None
    held: bool = False  # a person wants it not to start
    batch: Membership | None = None
    schema_version: Version = 1

    @property
    def sidecar_path(self) -> str:
        """The name of its sidecar, relative to the inbox."""
        return str(PurePosixPath(self.folder, self.sidecar))

    @property
    def place(self) -> str:
        """The folder of the outbox for its result; "" at the top."""
        return str(PurePosixPath(self.folder, self.batch.name)) if self.batch else self.folder

    @property
    def affinity(self) -> str:
        """What a worker keeps loaded for the next job: the backend and its network."""
        return f"{self.backend}:{self.options.get('network', '')}"

    def given(self, role: Role, style: int | None = None) -> list[Input]:
        """The pictures of one role, and of one style if `style` is given, in the sidecar's
        order."""
        return [each for each in self.inputs if each.role == role and style in (None, each.style)]

    def masks(self, style: int) -> list[Input]:
        """The region and the mask of a style, if it has them."""
        return self.given("region", style) + self.given("mask", style)

    def begun(self, frames: int = 0) -> Job:
        """The job with one more attempt, which is running; `frames` of a film are there."""
        begun = {"attempt": self.attempt + 1, "running": True, "frames": frames}
        return self.model_copy(update=begun)

    def advanced(self, frames: int) -> Job:
        """The job as it counts after an attempt: one that has made frames was the first of the
        rest."""
        if frames <= self.frames:
            return self
        return self.model_copy(update={"attempt": 1, "crashes": 0, "frames": frames})

    def requeued(self, *, forgive: bool) -> Job:
        """The job after its attempt; with `forgive`, the attempt does not count."""
        attempt = max(0, self.attempt - forgive)
        return self.model_copy(update={"attempt": attempt, "running": False})


class Ending(StrEnum):
    """How an attempt ended."""

    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"  # put back by a drain or a retry: the attempt does not count
    CANCELLED = "cancelled"


class Outcome(Model):
    """The end of one attempt of a job."""

    job: str
    ending: Ending
    failure: Failure | None = None
    device_fault: bool = False  # a fault of the worker or device, not (only) of the job
    full_path: str = ""  # the file of ours that a full disk did not take
    had_room: bool = False  # at its start, the disk had room for all that was predicted
    at_start: bool = False  # no worker took the job: the job is not the cause
