"""Jobs that have ended and are not published yet, and the live members of each batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nstd.queue.job import Failure, Job


@dataclass
class EndedJob:
    """A job that has ended; `failure` is set while the reason of its failure may not be on disk."""

    job: Job
    failure: Failure | None = None
    due: float = 0.0
    tries: int = 0
    error: OSError | None = None  # the error of the last try to publish it
    is_replaced: bool = False  # `failure` says that the result, or the reason, cannot be written
    is_logged: bool = False  # only its folder is left to be removed, perhaps a part of it
    logged: Failure | None = None  # why it failed, as it was logged; the folder may have lost it


class LiveMembers:
    """How many jobs of each batch are waiting, running or not yet published, and the batches of
    which a sidecar is in the inbox."""

    def __init__(self) -> None:
        self._in_inbox: frozenset[str] | None = None
        self._live: dict[str, set[str]] = defaultdict(set)
        self._arrived: dict[str, Job] = {}
        self._names: dict[str, set[str]] = defaultdict(set)

    def enter(self, job: Job) -> None:
        """The job waits, or has ended; entering it again changes nothing."""
        self._names[_path(job)].add(job.id)
        if job.batch is None:
            return
        if job.batch.id not in self._live:
            self._arrived[job.batch.id] = job
        self._live[job.batch.id].add(job.id)

    def leave(self, job: Job) -> None:
        """The job is published."""
        self._names[_path(job)].discard(job.id)
        if not self._names[_path(job)]:
            del self._names[_path(job)]
        if job.batch is not None and job.batch.id in self._live:
            self._live[job.batch.id].discard(job.id)
            if not self._live[job.batch.id]:
                del self._live[job.batch.id]

    def has_name(self, path: str) -> bool:
        """Whether a live job will be published at this path in the outbox, if it is free."""
        return path in self._names

    def is_alive(self, batch_id: str) -> bool:
        """Whether a job of the batch is live."""
        return batch_id in self._live

    def note_inbox(self, batches: frozenset[str] | None) -> None:
        """The ids of the batches of which a sidecar is in the inbox; None: not known yet."""
        self._in_inbox = batches

    def may_come(self, batch_id: str) -> bool:
        """Whether a sidecar in the inbox is, or may be, that of a job of the batch."""
        return self._in_inbox is None or batch_id in self._in_inbox

    def take_arrived(self) -> list[Job]:
        """The first live job of each batch that had no live job at the last call."""
        arrived, self._arrived = list(self._arrived.values()), {}
        return arrived


def _path(job: Job) -> str:
    """The path in the outbox at which the job is published, if it is free."""
    return str(PurePosixPath(job.place, job.name))


class EndedJobs:
    """The jobs to be published: the earlier stages add them, and the publisher removes them."""

    def __init__(self, members: LiveMembers) -> None:
        self._members = members
        self._jobs: dict[str, EndedJob] = {}

    def add(self, job: Job, failure: Failure | None = None) -> None:
        """Add a job that has ended: with its result on disk, or with `failure`."""
        self._members.enter(job)
        self._jobs[job.id] = EndedJob(job, failure)

    def remove(self, job: Job) -> None:
        """Remove a job that is published and whose folder is removed."""
        del self._jobs[job.id]
        self._members.leave(job)

    def is_wanted(self, path: str) -> bool:
        """Whether a job that is not published yet will be published at this path, if it is free."""
        return self._members.has_name(path)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs

    def __iter__(self) -> Iterator[EndedJob]:
        return iter(list(self._jobs.values()))

    def __len__(self) -> int:
        return len(self._jobs)
