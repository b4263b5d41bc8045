"""The contract of executors, which run attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nstd.documents.film import FilmBounds
from nstd.documents.model import Model
from nstd.queue.job import Job, Outcome
from nstd.queue.progress import Report
from nstd.queue.slots import Slot
from nstd.system.layout import CACHE

if TYPE_CHECKING:  # workers do not load the YAML reader
    from nstd.documents.config import Config
    from nstd.documents.settings import LimitSettings


class Assignment(Model):
    """One attempt of one job, as a worker gets it."""

    job: Job
    folder: Path
    weights: Path
    slot: str
    torch_device: str  # "cpu" or "cuda:0": a worker sees only its own GPU
    checkpoint: float
    max_pixels: int
    max_bytes: int
    views: bool = True  # whether to make small pictures for the gallery
    cache: Path | None = None  # where backends may keep data for later jobs
    cache_bytes: int = 0
    film: FilmBounds | None = None  # of a job with a film, or with a frame of one

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
            film=_bounds(config.limits) if _has_film(job) else None,
        )


def _has_film(job: Job) -> bool:
    return job.film is not None or any(given.frame is not None for given in job.inputs)


def _bounds(limits: LimitSettings) -> FilmBounds:
    return FilmBounds(
        frames=limits.film_frames,
        seconds=limits.film_seconds,
        pixels=limits.film_pixels,
        bytes=limits.film_bytes,
    )


class Begun(Model):
    """A worker has taken the job: the attempt counts now, and its time limit starts."""

    kind: Literal["begun"] = "begun"
    job: str


Event = Begun | Report | Outcome
RELOADED = "replaced after HUP"
"""Why a worker ended that had imported plug-ins as they were before: a process does so once."""
Wake = Callable[[], None]


class Executor(Protocol):
    """Runs attempts on slots. Retries, time limits and breakers are decided by the scheduler.

    A started attempt ends with exactly one Outcome, whatever happens to its worker. Begun comes
    before its first Report; an attempt that no worker takes ends after `workers.start` seconds.
    The attempt writes its checkpoint, preview, picture and result into the job's folder.
    """

    def open(self) -> None:
        """Start the executor. Raises NstdError when there is no device to run jobs on."""
        ...

    def slots(self) -> Sequence[Slot]:
        """The slots on which attempts can start now; an attempt may still run on a removed slot."""
        ...

    def why_no_slots(self) -> str:
        """Why there are no slots, or an empty string."""
        ...

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Begin an attempt on a free slot."""
        ...

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """End the attempt soon, or with `kill` at once; its results are not needed.

        An attempt that no worker has yet ends at once, as cancelled.
        """
        ...

    def stop(self, job_id: str) -> None:
        """Ask the attempt to save a checkpoint and end.

        An attempt that no worker has yet ends at once, as stopped.
        """
        ...

    def events(self) -> Iterable[Event]:
        """The events since the last call; never blocks. Also kills workers after their grace
        period."""
        ...

    def waitables(self) -> Sequence[Any]:
        """What to wait on (as `multiprocessing.connection.wait` does) for the next event."""
        ...

    def configure(self, config: Config) -> None:
        """Take over new settings; slots and running attempts do not change."""
        ...

    def close(self) -> None:
        """Kill all workers."""
        ...
