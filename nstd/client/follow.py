"""Follows one submitted sidecar, a job or a batch, to its end, by reading the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nstd.client.listing import list_jobs
from nstd.client.submit import Submitted
from nstd.documents.config import Config
from nstd.errors import StoreError, printable
from nstd.outbox.record import Heading, Reason, Record, timestamp
from nstd.outbox.results import list_published, read_ended, read_heading, read_reason
from nstd.queue.batch import Batch, End, list_batches, read_manifest
from nstd.queue.paths import JobPaths
from nstd.queue.progress import ProgressNote, read_progress
from nstd.system.layout import CLAIMS, REASON, without_failed

PATIENCE = 10.0
"""Seconds for which a job may not be found: it may move between the folders that we read."""


@dataclass(frozen=True)
class FollowedState:
    """The state of a job; `end` is its record or its reason, which is at `path`.

    `fraction` is the share of its work that is done, in [0, 1].
    """

    state: str  # "inbox", "waiting", "held", "running", "finished" or "failed"
    fraction: float = 0.0
    progress: ProgressNote | None = None
    end: Record | Reason | None = None
    path: Path = Path()

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.state in {"finished", "failed"}

    @property
    def picture(self) -> Path:
        """The path of the finished picture."""
        return self.path.parent / (self.end.output.file if isinstance(self.end, Record) else "")


class Followed:
    """A submitted job."""

    def __init__(self, config: Config, submitted: Submitted) -> None:
        self.name, self._submitted = submitted.name, submitted
        self._inbox, self._work = config.folder("inbox"), config.folder("work")
        self._outbox = config.folder("outbox")
        self._sidecar = str(submitted.sidecar.relative_to(self._inbox))
        # Its arrival, which the daemon notes, comes after its last write, by any clock.
        self._since = timestamp(min(submitted.mtime_ns / 1e9, time.time()))
        self._id: str | None = None
        self._seen = time.monotonic()

    def read_state(self) -> FollowedState:
        """Its state now. Raises StoreError `not_found` when it cannot be found for too long.

        The places are read in the order in which a job moves through them, so that it is not
        missed.
        """
        found = self._in_inbox() or self._in_work() or self._in_outbox()
        if found is not None:
            self._seen = time.monotonic()
            return found
        if time.monotonic() - self._seen > PATIENCE:
            raise StoreError(
                "not_found",
                f"{printable(self.name)}: neither in the inbox nor in work nor in the outbox",
                "somebody has taken it away; `nstd logs` may tell more",
            )
        return FollowedState("waiting")

    def _in_inbox(self) -> FollowedState | None:
        if self._id is not None:
            return None
        sidecar = self._submitted.sidecar
        with suppress(OSError):
            if sidecar.stat().st_mtime_ns == self._submitted.mtime_ns:
                return FollowedState("inbox")
        with suppress(OSError):
            claims = (self._inbox / CLAIMS).iterdir()  # claims whose pictures are being copied
            if any(os.path.lexists(claim / sidecar.name) for claim in claims):
                return FollowedState("inbox")
        return None

    def _in_work(self) -> FollowedState | None:
        if (own := self._own_id()) is None:
            return None
        paths = JobPaths(self._work / own)
        try:
            job = paths.read_job()
        except StoreError:
            return None
        if not job.running:
            return FollowedState("held" if job.held else "waiting")
        progress = read_progress(paths.progress)
        return FollowedState("running", progress.fraction if progress else 0.0, progress)

    def _own_id(self) -> str | None:
        """The id of the job, once it has one: the first of its sidecar since the submission.

        The work folder is read before the outbox, because jobs move in that direction. Both are
        always read, because a later job of the same sidecar name may wait in the work folder.
        """
        if self._id is None:
            known = [
                (timestamp(job.submitted), job.id)
                for job, _ in list_jobs(self._work)
                if job.sidecar_path == self._sidecar
            ]
            for _, path in list_published(self._outbox):
                heading = read_heading(path)
                if heading is not None and self._is_of_ours(heading):
                    known.append((heading.submitted, heading.job))
            self._id = min((k for k in known if k[0] >= self._since), default=("", None))[1]
        return self._id

    def _is_of_ours(self, heading: Heading) -> bool:
        """Whether it is of a job with our sidecar; records of earlier versions do not name it."""
        return heading.sidecar == self._sidecar or (
            not heading.sidecar and heading.name == self.name
        )

    def _in_outbox(self) -> FollowedState | None:
        own = self._own_id()
        for _, path in sorted(list_published(self._outbox), reverse=True) if own else ():
            heading = read_heading(path)
            if heading is not None and heading.job == own:
                end = read_ended(path)
                return FollowedState(
                    "failed" if path.name == REASON else "finished", end=end, path=path
                )
        return None


@dataclass(frozen=True)
class FollowedBatchState(FollowedState):
    """The state of a batch, and how many of its jobs have ended."""

    batch: Batch | None = None
    outbox: Path = Path()

    @property
    def pictures(self) -> list[Path]:
        """The paths of the finished pictures."""
        return [self.outbox / end.output / end.picture for end in self._ends("finished")]

    @property
    def reasons(self) -> list[tuple[Path, Reason]]:
        """The reasons of the failed jobs, each with its path."""
        paths = [self.outbox / end.output / REASON for end in self._ends("failed")]
        return [(path, read_reason(path) or Reason()) for path in paths]

    def _ends(self, state: str) -> list[End]:
        members = self.batch.members if self.batch else ()
        return [m.end for m in members if m.end is not None and m.end.state == state]


class FollowedBatch(Followed):
    """A submitted batch; a sidecar that was refused counts as a failed job."""

    _batch_id: str | None = None

    def _in_work(self) -> FollowedState | None:
        own = self._own_batch_id()
        for batch in self._batches_in_work():
            if batch.id == own:
                return self._under_way(batch)
        return None

    def _own_batch_id(self) -> str | None:
        """The id of the batch, once it has one: the first of its sidecar since the submission."""
        if self._batch_id is None:
            known = [
                (timestamp(batch.submitted), batch.id)
                for batch in (*self._batches_in_work(), *self._published())
                if batch.sidecar == self._submitted.sidecar.name
            ]
            self._batch_id = min((k for k in known if k[0] >= self._since), default=("", None))[1]
        return self._batch_id

    def _batches_in_work(self) -> Iterator[Batch]:
        for paths in list_batches(self._work):
            with suppress(StoreError):
                yield paths.read()

    def _published(self) -> Iterator[Batch]:
        for place in self._places():
            if (batch := read_manifest(self._outbox / place)) is not None:
                yield batch

    def _under_way(self, batch: Batch) -> FollowedState:
        fractions = [1.0] * (batch.count("finished") + batch.count("failed"))
        for job, paths in list_jobs(self._work):
            if job.running and job.batch is not None and job.batch.id == batch.id:
                progress = read_progress(paths.progress)
                fractions.append(progress.fraction if progress else 0.0)
        fraction = min(1.0, sum(fractions) / len(batch.members))
        return FollowedBatchState("running", fraction, batch=batch, outbox=self._outbox)

    def _in_outbox(self) -> FollowedState | None:
        own = self._own_batch_id()
        for batch in self._published():
            if batch.id == own:
                state = "failed" if batch.count("failed") else "finished"
                return FollowedBatchState(state, batch=batch, outbox=self._outbox)
        return super()._in_outbox()

    def _places(self) -> set[PurePosixPath]:
        """The folders of the outbox with results of the batch."""
        folders = (path.parent for _, path in list_published(self._outbox))
        outputs = (without_failed(each.relative_to(self._outbox)) for each in folders)
        return {PurePosixPath(output).parent for output in outputs}


def follow(config: Config, submitted: Submitted) -> Followed:
    """A follower for a submitted sidecar."""
    return (FollowedBatch if submitted.is_batch else Followed)(config, submitted)
