"""The job on disk: claimed, attempted, saved, recovered.

A job is a folder `work/<id>`. Which files it holds says what is to be done with it:

| files in work/<id>            | state    | at start                                            |
|-------------------------------|----------|-----------------------------------------------------|
| job.json                      | waiting  | wait again; an attempt that was running is forgiven |
| job.json, checkpoint          | waiting  | the same; the next attempt resumes                  |
| job.json, picture, result.json| finished | publish the picture                                 |
| job.json, reason.json         | failed   | publish the reason                                  |

`job.json` with a `target` that the outbox already holds for this job: only the folder is left
to be removed. A sidecar below `inbox/.nstd/<id>` is a claim in flight: when `work/<id>` exists, or
the log says that the job has ended, the claim is done and the sidecar there is a spare copy; else
it goes back to the inbox, at once when `work/.new/<id>` says that the claim is ours, after an hour
when it does not: another daemon may be at it. `work/.new/<id>` is a job folder being filled or
removed: removed, once the inbox is there and has no claim of that name. A job folder whose
`job.json` cannot be read is left alone and told. No other file means anything.

A batch is a folder `work/.batches/<id>`, with its jobs staged in `members`: each is moved into
`work` by one rename, so a staged one whose job exists or has ended is a spare copy. How a job has
ended is noted in `ends` before its own folder goes; when all have, the batch is published.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, TypeVar

from nstd.batch import Batch, BatchPaths, End
from nstd.errors import NstdError, SpoolError
from nstd.files import Files, refuse_links
from nstd.filling import Filling
from nstd.inbox import Ready
from nstd.job import JOB_ID, Failure, Job, new_job_id
from nstd.layout import BATCHES, CLAIMS, NEW
from nstd.order import Order, Plan
from nstd.paths import JobPaths
from nstd.roots import Root

FORGIVEN = 5
"""Crashes of the daemon in the middle of a job that do not use up an attempt."""
FORSAKEN = 3600.0
"""Seconds after which a claim that is not ours goes back to the inbox: nobody claims so long."""
Claimed = TypeVar("Claimed", Job, Batch)


class State(StrEnum):
    """What a job folder asks for."""

    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"


class Entry(NamedTuple):
    """A job on disk, with what its folder asks for."""

    job: Job
    state: State


class Spool:
    """The folder `work` and the claims in flight; the daemon is the only one to change them."""

    def __init__(self, work: Path, inbox: Root, files: Files) -> None:
        self.work, self._inbox, self._files = work, inbox, files
        self._claims = inbox.path / CLAIMS
        self._new, self._batches = work / NEW, work / BATCHES
        self._strangers: dict[str, float] = {}

    @classmethod
    def reading(cls, work: Path) -> Spool:
        """A spool for looking only, beside the daemon that owns it."""
        return cls(work, Root(work), Files())

    def paths(self, job_id: str) -> JobPaths:
        """The paths of the job `job_id`."""
        return JobPaths(self.work / job_id)

    def batch(self, batch_id: str) -> BatchPaths:
        """The paths of the batch `batch_id`, while it is under way."""
        return BatchPaths(self._batches / batch_id)

    def claim(self, ready: Ready, order: Order, failure: Failure | None) -> Job | None:
        """Take a ready sidecar out of the inbox and copy what it names: then the job is ours.

        None when somebody else was faster. Raises OSError when the disk fails and SpoolError when
        a file changed meanwhile; then the sidecar is back in the inbox, or a later `undo_claims`
        and a look at `jobs` settle which of the two it is.
        """
        return self._claim(ready, self.work, lambda filling: filling.job(order, failure))

    def claim_batch(self, ready: Ready, plan: Plan, name: str) -> Batch | None:
        """The same for a sidecar that makes a batch, whose members are staged in its folder."""
        return self._claim(ready, self._batches, lambda filling: filling.batch(plan, name))

    def _claim(
        self, ready: Ready, home: Path, fill: Callable[[Filling], Claimed]
    ) -> Claimed | None:
        job_id = self._begin()
        claim = self._claims / job_id / ready.name
        self._files.make_folder(claim.parent, below=self._inbox.path)
        try:
            self._files.rename(self._inbox.path / ready.name, claim)
        except FileNotFoundError:
            if not os.path.lexists(claim):  # it can be there: NFS repeats a rename
                if not self._undo(job_id):  # nobody was faster: the inbox is out of reach
                    raise
                return None
        try:
            made = fill(Filling(self._files, self._inbox, ready, claim, self._new / job_id))
            self._files.make_folder(home)
            self._files.rename(self._new / job_id, home / job_id)
        except (OSError, NstdError):
            self._undo(job_id)
            raise
        self._files.remove_tree(self._claims / job_id)
        return made

    def move_in(self, batch: BatchPaths, job_id: str) -> Job | None:
        """A staged member of a batch becomes a job, by one rename; None for a spare copy of one.

        A power cut may bring the copy back after the rename. Raises OSError and SpoolError.
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
        """A batch that was over is under way again, for members of it were put back."""
        new, paths = BatchPaths(self._new / batch.id), self.batch(batch.id)
        self._files.remove_tree(new.folder)
        self._files.make_folder(new.folder)
        self._files.write(new.manifest, batch.model_dump_json(indent=1).encode())
        self._files.make_folder(paths.folder.parent)
        self._files.rename(new.folder, paths.folder)
        return paths

    def _begin(self) -> str:
        """A new id, with the folders of its job and of its claim, which nobody else has."""
        self._files.make_folder(self._claims, below=self._inbox.path)
        while True:
            job_id = new_job_id()
            homes = (self._new, self.work, self._batches)
            if any((home / job_id).exists() for home in homes):
                continue
            self._files.make_folder(self._new / job_id)  # before, for it says whose the claim is
            with suppress(FileExistsError):  # another daemon at this inbox has made the same
                self._files.make_new_folder(self._claims / job_id, below=self._inbox.path)
                return job_id
            self._files.remove_tree(self._new / job_id)

    def note_end(self, batch: BatchPaths, index: int, end: End) -> None:
        """Make it durable how a member of a batch has ended."""
        self._files.make_folder(batch.ends)
        self._files.write(batch.end(index), end.model_dump_json().encode())

    def remove_batch(self, batch: BatchPaths) -> None:
        """The batch is over, and everybody was told: its folder goes, by one rename."""
        with suppress(FileNotFoundError):
            self._files.make_folder(self._new)
            self._files.rename(batch.folder, self._new / batch.folder.name)
        self._files.remove_tree(self._new / batch.folder.name)

    def _undo(self, job_id: str) -> bool:
        """Put the sidecar of a claim back where it was, unless the claim got as far as jobs.

        False when it may be there still. The inbox can vanish and come back at any moment, so
        nothing is removed that could be the sidecar, nor what says that the claim is ours.
        """
        if self._is_through(job_id):
            return True
        with suppress(FileNotFoundError):
            for path in sorted((self._claims / job_id).rglob("*")):
                if not path.is_dir():
                    relative = path.relative_to(self._claims / job_id)
                    self._files.put_back(path, self._inbox.path / relative, below=self._inbox.path)
        self._files.remove_empty(self._claims / job_id)
        is_gone = self._is_gone(job_id)
        if is_gone:
            self._files.remove_tree(self._new / job_id)
        return is_gone

    def _is_through(self, job_id: str) -> bool:
        """Whether a claim got as far as a job or a batch; its sidecar is a spare copy then."""
        return self.paths(job_id).job.exists() or self.batch(job_id).manifest.exists()

    def _is_gone(self, job_id: str) -> bool:
        """Whether the inbox is there, as the folder of claims tells, and holds no such claim."""
        try:
            return job_id not in os.listdir(self._claims)  # noqa: PTH208 - one look, and names alone
        except FileNotFoundError:
            return False

    def undo_claims(self, now: float, has_ended: Callable[[str], bool]) -> bool:
        """Finish or undo the claims that a crash or an error left in flight.

        False while there are claims of others, to be looked at again. Raises OSError.
        """
        refuse_links(self._inbox.path, self._claims)
        claims = {folder.name for folder in _folders(self._claims)}
        over = {name for name in claims if self._is_through(name) or has_ended(name)}
        ours = {name for name in claims - over if self._is_ours(name)}
        others = claims - over - ours
        self._strangers = {name: self._strangers.get(name, now) for name in others}
        forsaken = {name for name in others if now - self._strangers[name] >= FORSAKEN}
        for name in sorted(ours | forsaken):
            self._undo(name)
        for name in sorted(over):
            self._files.remove_tree(self._claims / name)
        for folder in _folders(self._new):
            if self._is_gone(folder.name):
                self._files.remove_tree(folder)
        return others == forsaken

    def _is_ours(self, job_id: str) -> bool:
        places = (self._new / job_id, self.paths(job_id).folder, self.batch(job_id).folder)
        return any(place.exists() for place in places)

    def jobs(self, broken: Callable[[SpoolError], None] | None = None) -> Iterator[Entry]:
        """Every job on disk with its state; `broken` hears of folders that cannot be read."""
        for folder in _folders(self.work):
            paths = JobPaths(folder)
            try:
                yield Entry(paths.read_job(), self.state(paths))
            except SpoolError as error:
                if broken is not None and folder.exists():
                    broken(error)

    @staticmethod
    def state(paths: JobPaths) -> State:
        """What the files in a job folder ask for."""
        if paths.reason.exists():
            return State.FAILED
        return State.FINISHED if paths.result.exists() else State.WAITING

    def save(self, job: Job) -> Job:
        """Make a changed job durable."""
        path = self.paths(job.id).job
        self._files.write(path, job.model_dump_json(indent=1).encode())
        return job

    def forgive_crash(self, job: Job) -> Job:
        """The daemon died in the middle of an attempt: forgiven, but not for ever."""
        if not job.running:
            return job
        job = job.model_copy(update={"crashes": job.crashes + 1})
        return self.save(job.given_back(forgive=job.crashes <= FORGIVEN))

    def fail(self, job: Job, failure: Failure) -> None:
        """Make it durable that the job has failed, and why."""
        self._files.write(self.paths(job.id).reason, failure.model_dump_json().encode())

    def restart(self, job: Job) -> Job:
        """Forget what the attempts have made: the job starts from its inputs."""
        paths = self.paths(job.id)
        made = (paths.checkpoint, paths.preview, paths.progress, paths.result)
        for path in (*made, *paths.views().values()):
            self._files.unlink(path)
        return self.save(job.model_copy(update={"attempt": 0, "crashes": 0, "running": False}))

    def remove(self, job: Job) -> None:
        """The job is published: its folder goes, by one rename, so that no half of it is found."""
        with suppress(FileNotFoundError):
            self._files.make_folder(self._new)
            self._files.rename(self.paths(job.id).folder, self._new / job.id)
        self._files.remove_tree(self._new / job.id)


def _folders(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if JOB_ID.fullmatch(entry.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
