"""The contract of everything that runs attempts: a folder per place to run lies in `executors`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nstd.documents.model import Model
from nstd.queue.job import Job, Outcome
from nstd.queue.progress import Report
from nstd.queue.slots import Slot
from nstd.system.layout import CACHE

if TYPE_CHECKING:  # a worker reads no YAML
    from nstd.documents.config import Config


class Assignment(Model):
    """One attempt of one job, as a worker gets it."""

    job: Job
    folder: Path
    weights: Path
    slot: str
    torch_device: str  # "cpu" or "cuda:0": inside the worker its GPU is the only one
    checkpoint: float
    max_pixels: int
    max_bytes: int
    views: bool = True  # whether small pictures for the gallery are wanted
    cache: Path | None = None  # where backends may keep what later jobs can use
    cache_bytes: int = 0

    @classmethod
    def of(
        cls, job: Job, folder: Path, slot: Slot, torch_device: str, config: Config
    ) -> Assignment:
        """The assignment of `job`, whose folder is `folder`, to `slot`."""
        return cls(
            job=job,
            folder=folder,
            weights=config.folder("networks"),
            slot=slot.name,
            torch_device=torch_device,
            checkpoint=config.jobs.checkpoint,
            max_pixels=config.limits.picture_pixels,
            max_bytes=config.limits.picture_bytes,
            views=config.gallery.enabled,
            cache=config.folder("work") / CACHE if config.workers.cache else None,
            cache_bytes=config.workers.cache,
        )


class Begun(Model):
    """A worker has taken the job: from here on the attempt counts, and its time runs."""

    kind: Literal["begun"] = "begun"
    job: str


Event = Begun | Report | Outcome
Wake = Callable[[], None]


class Executor(Protocol):
    """Runs attempts on slots. It never decides: retries, time-outs and breakers are not its own.

    A started attempt ends with exactly one Outcome, whatever happens to its worker; it is Begun
    before any Report of it, and has an end in `workers.start` where no worker takes it. The job's
    folder is where the attempt leaves its checkpoint, preview, picture and result.
    """

    def open(self) -> None:
        """Get ready. Raises NstdError when there is nowhere to run anything."""
        ...

    def slots(self) -> Sequence[Slot]:
        """Where attempts can be started now; a running one may be on a slot that is gone."""
        ...

    def trouble(self) -> str:
        """Why there is no slot at all, or nothing."""
        ...

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Begin an attempt on a free slot."""
        ...

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """End the attempt soon, or at once; nothing of it is wanted.

        One that was not handed to a worker yet ends at once, as cancelled.
        """
        ...

    def stop(self, job_id: str) -> None:
        """Have the attempt save a checkpoint and end.

        One that was not handed to a worker yet ends at once, as stopped.
        """
        ...

    def events(self) -> Iterable[Event]:
        """What happened since the last call; never blocks. Also ends workers past their grace."""
        ...

    def waitables(self) -> Sequence[Any]:
        """What to wait on (as `multiprocessing.connection.wait` does) for the next event."""
        ...

    def configure(self, config: Config) -> None:
        """Take over new settings; slots and running attempts stay."""
        ...

    def close(self) -> None:
        """End all workers at once."""
        ...
