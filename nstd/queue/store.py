"""The jobs on disk: saved, recovered and removed by `JobStore`.

A job is a folder `work/<id>`. Its files decide what is done with it:

| files in work/<id>            | state    | at start                                            |
|-------------------------------|----------|-----------------------------------------------------|
| job.json                      | waiting  | wait again; an attempt that was running is forgiven |
| job.json with `held`          | held     | wait until a person releases it                     |
| job.json, checkpoint          | waiting  | the same; the next attempt resumes                  |
| job.json, picture, result.json| finished | publish the picture                                 |
| job.json, reason.json         | failed   | publish the reason                                  |

When the outbox already holds the `target` of a `job.json` for this job, only the folder remains to
be removed. `work/.new/<id>` is a job folder that is being filled or removed, see `Claims`. A job
folder whose `job.json` cannot be read is left alone and reported. Other files have no meaning.

A batch is a folder `work/.batches/<id>`, with its jobs staged in `members`: each is moved into
`work` by one rename, so a staged job that also exists in `work` or has ended is a spare copy. How a
job has ended is written into `ends` before its folder is removed; after the last, the batch is
published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from nstd.errors import StoreError
from nstd.queue.batch import Batch, BatchPaths, End
from nstd.queue.job import JOB_ID, Failure, Job
from nstd.queue.paths import JobPaths
from nstd.queue.result import FailureRecord
from nstd.system.durable import Files
from nstd.system.layout import BATCHES, NEW

FORGIVEN = 5
"""Crashes of the daemon during a job for which the attempt does not count."""


class State(StrEnum):
    """The state of a job, as its folder shows it."""

    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"


class StoredJob(NamedTuple):
    """A job on disk and its state."""

    job: Job
    state: State


class JobStore:
    """The folder `work`. Only the daemon changes it; other processes only read."""

    def __init__(self, work: Path, files: Files) -> None:
        self.work, self._files = work, files
        self.new, self.batches = work / NEW, work / BATCHES
        self.needs_recovery = False
        """Whether an error may have left a claim in flight, or a job that is not in the queue."""

    def paths(self, job_id: str) -> JobPaths:
        """The paths of the job `job_id`."""
        return JobPaths(self.work / job_id)

    def batch(self, batch_id: str) -> BatchPaths:
        """The paths of the batch `batch_id`, while it is under way."""
        return BatchPaths(self.batches / batch_id)

    def move_in(self, batch: BatchPaths, job_id: str) -> Job | None:
        """Make a staged member of a batch a job, by one rename; None for a spare copy of a job.

        A power cut may restore the copy after the rename. Raises OSError and StoreError.
        """
        staged = JobPaths(batch.staged / job_id)
        job = staged.read_job()
        has_ended = job.batch is not None and batch.end(job.batch.index).exists()
        if has_ended or self.paths(job_id).folder.exists():
            self._files.remove_tree(staged.folder)
            return None
        self._files.rename(staged.folder, self.paths(job_id).folder)
        return job

    def reopen(self, batch: Batch) -> BatchPaths:
        """Start a finished batch again, because members of it were put back."""
        new, paths = BatchPaths(self.new / batch.id), self.batch(batch.id)
        self._files.remove_tree(new.folder)
        self._files.make_folder(new.folder)
        self._files.write(new.manifest, batch.model_dump_json(indent=1).encode())
        self._files.make_folder(paths.folder.parent)
        self._files.rename(new.folder, paths.folder)
        return paths

    def note_end(self, batch: BatchPaths, index: int, end: End) -> None:
        """Write durably how a member of a batch has ended."""
        self._files.make_folder(batch.ends)
        self._files.write(batch.end(index), end.model_dump_json().encode())

    def remove_batch(self, batch: BatchPaths) -> None:
        """Remove the folder of a batch that is published and logged, by one rename."""
        with suppress(FileNotFoundError):
            self._files.make_folder(self.new)
            self._files.rename(batch.folder, self.new / batch.folder.name)
        self._files.remove_tree(self.new / batch.folder.name)

    def jobs(self, broken: Callable[[StoreError], None] | None = None) -> Iterator[StoredJob]:
        """Every job on disk with its state; `broken` is called for folders that cannot be read."""
        for folder in folders_of_jobs(self.work):
            paths = JobPaths(folder)
            try:
                yield StoredJob(paths.read_job(), self.state(paths))
            except StoreError as error:
                if broken is not None and folder.exists():
                    broken(error)

    @staticmethod
    def state(paths: JobPaths) -> State:
        """The state that the files in a job folder show."""
        if paths.reason.exists():
            return State.FAILED
        return State.FINISHED if paths.result.exists() else State.WAITING

    def save(self, job: Job) -> Job:
        """Write a changed job durably."""
        path = self.paths(job.id).job
        self._files.write(path, job.model_dump_json(indent=1).encode())
        return job

    def forgive_crash(self, job: Job) -> Job:
        """The daemon died during an attempt: the first `FORGIVEN` such attempts do not count."""
        if not job.running:
            return job
        if job.film is not None:
            job = job.advanced(self.paths(job.id).count_frames())
        job = job.model_copy(update={"crashes": job.crashes + 1})
        return self.save(job.requeued(forgive=job.crashes <= FORGIVEN))

    def fail(self, job: Job, failure: Failure) -> None:
        """Write durably that the job has failed, and why."""
        record = FailureRecord(**failure.model_dump())
        self._files.write(self.paths(job.id).reason, record.model_dump_json().encode())

    def restart(self, job: Job) -> Job:
        """Delete the results of earlier attempts: the job starts from its inputs."""
        paths = self.paths(job.id)
        made = (paths.checkpoint, paths.preview, paths.progress, paths.result)
        for path in (*made, *paths.views().values()):
            self._files.unlink(path)
        if job.film is not None:
            self._files.remove_tree(paths.frames)
        return self.save(
            job.model_copy(update={"attempt": 0, "crashes": 0, "running": False, "frames": 0})
        )

    def remove(self, job: Job) -> None:
        """Remove the folder of a published job by one rename, so that no partial folder is
        found."""
        with suppress(FileNotFoundError):
            self._files.make_folder(self.new)
            self._files.rename(self.paths(job.id).folder, self.new / job.id)
        self._files.remove_tree(self.new / job.id)


def folders_of_jobs(path: Path) -> list[Path]:
    """The folders in `path` whose names are ids of jobs or batches, oldest first."""
    try:
        return sorted(entry for entry in path.iterdir() if JOB_ID.fullmatch(entry.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
