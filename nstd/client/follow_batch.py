"""Follows one submitted sidecar that makes a batch, until its last job has ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nstd.client.follow import Followed, Look
from nstd.client.status import list_jobs
from nstd.client.submit import Submitted
from nstd.documents.config import Config
from nstd.errors import StoreError
from nstd.outbox.results import list_published, read_json
from nstd.queue.batch import Batch, End, list_batches, read_published
from nstd.system.layout import FAILED, REASON


@dataclass(frozen=True)
class BatchLook(Look):
    """Where a batch is, and how many of its jobs have ended."""

    batch: Batch | None = None
    outbox: Path = Path()

    @property
    def pictures(self) -> list[Path]:
        """Where the finished pictures lie."""
        return [self.outbox / end.output / end.picture for end in self._ends("finished")]

    @property
    def reasons(self) -> list[tuple[Path, dict[str, Any]]]:
        """Why jobs have failed, each with where that lies."""
        paths = [self.outbox / end.output / REASON for end in self._ends("failed")]
        return [(path, read_json(path)) for path in paths]

    def _ends(self, state: str) -> list[End]:
        members = self.batch.members if self.batch else ()
        return [m.end for m in members if m.end is not None and m.end.state == state]


class FollowedBatch(Followed):
    """A batch that was submitted; a sidecar that is refused is a job that has failed."""

    def _in_work(self) -> Look | None:
        for paths in list_batches(self._work):
            with suppress(StoreError):
                if self._is_ours(batch := paths.read()):
                    return self._under_way(batch)
        return None

    def _under_way(self, batch: Batch) -> Look:
        fractions = [1.0] * (batch.count("finished") + batch.count("failed"))
        for job, paths in list_jobs(self._work):
            if job.running and job.batch is not None and job.batch.id == batch.id:
                fractions.append(float(read_json(paths.progress).get("fraction", 0)))
        progress = {"fraction": min(1.0, sum(fractions) / len(batch.members))}
        return BatchLook("running", progress, batch=batch, outbox=self._outbox)

    def _in_outbox(self) -> Look | None:
        for place in self._places():
            batch = read_published(self._outbox / place)
            if batch is not None and self._is_ours(batch):
                state = "failed" if batch.count("failed") else "finished"
                return BatchLook(state, batch=batch, outbox=self._outbox)
        return super()._in_outbox()

    def _places(self) -> set[PurePosixPath]:
        """The folders of the outbox that results lie in."""
        outputs = [
            path.parent.relative_to(self._outbox) for _, path in list_published(self._outbox)
        ]
        inner = [o.relative_to(FAILED) if o.parts[0] == FAILED else o for o in outputs]
        return {PurePosixPath(output).parent for output in inner}

    def _is_ours(self, batch: Batch) -> bool:
        return (batch.sidecar, batch.submitted) == (self._submitted.sidecar.name, self._time)


def follow(config: Config, submitted: Submitted) -> Followed:
    """What follows a submitted sidecar."""
    return (FollowedBatch if submitted.is_batch else Followed)(config, submitted)
