"""Publish by one rename: a result or a failure appears in the outbox whole, or not at all.

The outbox name is made durable in `job.json` before the rename, so that after a crash the
record beside the picture tells whether the rename has happened.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from nstd.files import Files
from nstd.job import Failure, Job
from nstd.paths import JobPaths

FAILED, LOGS, ARCHIVE = "failed", "logs", "archive"
RESERVED = {FAILED, LOGS, ARCHIVE}
_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


class Outbox:
    """The folder `outbox`."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path, self._files = path, files
        self._staging = path / ".staging"

    def free_target(self, job: Job, *, failed: bool) -> str:
        """The first name that nothing in the outbox has yet: `beach`, `beach-2` ..."""
        folder = PurePosixPath(FAILED if failed else "", job.folder)
        for name in _numbered(job.name):
            target = folder / name
            reserved = not failed and target.parts[0] in RESERVED
            if not reserved and not os.path.lexists(self.path / target):
                return str(target)
        raise AssertionError("unreachable: names do not end")

    def has_published(self, job: Job) -> bool:
        """Whether the job's target is there, and is the job's own."""
        if job.target is None:
            return False
        folder = self.path / job.target
        for record in (folder / f"{folder.name}.json", folder / "reason.json"):
            try:
                if json.loads(record.read_bytes()).get("job") == job.id:
                    return True
            except (OSError, ValueError):
                continue
        return False

    def publish(self, job: Job, paths: JobPaths, record: dict[str, Any]) -> bool:
        """Put the picture, its record, sidecar and log at the job's target.

        False when something took that name meanwhile: choose another. Raises OSError.
        """
        name = PurePosixPath(str(job.target)).name
        stage = self._stage(job)
        self._files.copy_file(paths.picture(job), stage / f"{name}.{job.format}")
        self._files.copy_file(paths.folder / job.sidecar, stage / f"{name}.yaml")
        self._copy_log(paths, stage / f"{name}.log")
        self._files.write(stage / f"{name}.json", _json(record))
        return self._appear(job, stage)

    def publish_failure(
        self, job: Job, paths: JobPaths, failure: Failure, record: dict[str, Any]
    ) -> bool:
        """Put the sidecar, the reason, the log and the inputs at the job's target in `failed`.

        False when something took that name meanwhile: choose another. Raises OSError.
        """
        stage = self._stage(job)
        self._files.copy_file(paths.folder / job.sidecar, stage / job.sidecar)
        for picture in job.inputs:
            self._files.make_folder(stage / "inputs")
            self._files.copy_file(paths.folder / picture.file, stage / "inputs" / picture.file)
        self._copy_log(paths, stage / "job.log")
        reason = {"job": job.id} | failure.model_dump() | {"attempts": job.attempt} | record
        self._files.write(stage / "reason.json", _json(reason))
        return self._appear(job, stage)

    def read_record(self, job: Job) -> dict[str, Any]:
        """The record of a published result. Raises OSError."""
        folder = self.path / str(job.target)
        record: dict[str, Any] = json.loads((folder / f"{folder.name}.json").read_bytes())
        return record

    def log_of(self, job: Job) -> Path:
        """Where the published log of the job lies."""
        folder = self.path / str(job.target)
        failed = PurePosixPath(str(job.target)).parts[0] == FAILED
        return folder / ("job.log" if failed else f"{folder.name}.log")

    def clean(self, pending: set[str]) -> None:
        """Remove what a crash left half staged, for jobs other than the `pending` ones."""
        for stage in self._staging.glob("*"):
            if stage.name not in pending:
                self._files.remove_tree(stage)

    def _stage(self, job: Job) -> Path:
        stage = self._staging / job.id
        self._files.remove_tree(stage)
        self._files.make_folder(stage)
        return stage

    def _copy_log(self, paths: JobPaths, target: Path) -> None:
        if paths.log.exists():
            self._files.copy_file(paths.log, target)

    def _appear(self, job: Job, stage: Path) -> bool:
        target = self.path / str(job.target)
        self._files.make_folder(target.parent)
        self._files.sync_folder(stage)
        if os.path.lexists(target):
            return False
        try:
            self._files.rename(stage, target)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2, allow_nan=False).encode() + b"\n"
