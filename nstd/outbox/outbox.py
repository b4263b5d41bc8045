"""Publishes by one rename: a result or a failure appears in the outbox completely, or not at all.

The name in the outbox is written durably into `job.json` before the rename, so that after a crash
the record beside the picture shows whether the rename has happened.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from nstd.documents.model import StoredModel, file_of
from nstd.outbox.record import Heading, Reason, Record
from nstd.queue.batch import MANIFEST, SHEET, Batch, BatchPaths, read_manifest
from nstd.queue.job import Job
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files
from nstd.system.layout import FAILED, PREVIEW, REASON, RESERVED, STAGING
from nstd.system.nofollow import refuse_links
from nstd.system.numbered import numbered

_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


class Outbox:
    """The folder `outbox`."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path, self._files = path, files
        self._staging = path / STAGING

    def free_target(
        self, job: Job, *, failed: bool, is_wanted: Callable[[str], bool] = lambda _: False
    ) -> str:
        """The first name that nothing in the outbox has yet: `beach`, `beach-2` ...

        A numbered name is skipped if `is_wanted` says that it is the own name of another job.
        Sub-folders of the inbox are mirrored, and each batch has a folder. Such a folder gets a
        number too if its name is that of a result, or reserved: a result contains only its own
        files.
        """
        folder = PurePosixPath(FAILED if failed else "")
        for part in PurePosixPath(job.place).parts:
            folder = next(name for name in _numbered(folder / part) if self._is_open(name))
        names = _numbered(folder / job.name)
        top = FAILED if failed else ""
        return str(
            next(
                name
                for name in names
                if not os.path.lexists(self.path / name)
                and (name.name == job.name or not is_wanted(str(name.relative_to(top))))
            )
        )

    def _is_open(self, folder: PurePosixPath) -> bool:
        """Whether results may be put into the folder, which may not exist yet."""
        path = self.path / folder
        if not os.path.lexists(path):
            return True
        records = (path / f"{path.name}.json", path / REASON)
        is_folder = path.is_dir() and not path.is_symlink()
        return is_folder and not any(record.exists() for record in records)

    def has_published(self, job: Job) -> bool:
        """Whether the job's target exists and was made by this job. Raises OSError."""
        if job.target is None:
            return False
        folder = self.path / job.target
        for record in (folder / f"{folder.name}.json", folder / REASON):
            with suppress(FileNotFoundError, NotADirectoryError, ValidationError):
                if Heading.model_validate_json(record.read_bytes()).job == job.id:
                    return True
        return False

    def publish(self, job: Job, paths: JobPaths, record: Record) -> bool:
        """Put the picture, its record, sidecar and log at the job's target.

        False when something took that name meanwhile: choose another. Raises OSError.
        """
        name = PurePosixPath(str(job.target)).name
        stage = self._stage(job)
        self._put(paths.picture(job), stage / file_of(name, job.format))
        if job.film is not None:
            self._keep(paths.frames_table, stage / f"{name}.frames.csv")
            self._keep(paths.sheet, stage / SHEET)
        self._keep(paths.sidecar(job), stage / f"{name}.yaml")
        self._keep(paths.log, stage / f"{name}.log")
        self._keep_views(paths, stage)
        self._files.write(stage / f"{name}.json", _json(record))
        return self._appear(job, stage)

    def publish_failure(self, job: Job, paths: JobPaths, reason: Reason) -> bool:
        """Put the sidecar, the reason, the log and the inputs at the job's target in `failed`.

        False when something took that name meanwhile: choose another. Raises OSError.
        """
        stage = self._stage(job)
        self._keep(paths.sidecar(job), stage / job.sidecar)
        if job.inputs:
            self._files.make_folder(stage / "inputs")
        for picture in job.inputs:
            self._keep(paths.folder / picture.file, stage / "inputs" / picture.file)
        if job.inputs:
            self._files.sync_folder(stage / "inputs")
        self._keep(paths.log, stage / f"{PurePosixPath(str(job.target)).name}.log")
        self._keep_views(paths, stage)
        self._files.write(stage / REASON, _json(reason))
        return self._appear(job, stage)

    def has_batch(self, batch: Batch) -> bool:
        """Whether this round of the batch is already published."""
        known = read_manifest(self.path / batch.place)
        return known is not None and (known.id, known.round) == (batch.id, batch.round)

    def publish_batch(self, batch: Batch, paths: BatchPaths) -> None:
        """Put the manifest, sheet and sidecar of a batch beside the results of its members.

        Each file is put there by one rename and replaces that of an earlier round; the manifest,
        which describes the others, is the last. What is already published is only made durable:
        the sheet may have left `work` since. Raises OSError.
        """
        folder = self.path / batch.place
        known = read_manifest(folder)
        if known and (known.id, known.round, known.members) == (
            batch.id,
            batch.round,
            batch.members,
        ):
            self._files.sync_folder(folder)
            return
        self._files.make_folder(folder, below=self.path)
        for source, name in ((paths.sheet, SHEET), (paths.folder / batch.sidecar, batch.sidecar)):
            if source.exists():
                near = folder / f".{name}.tmp"
                self._files.unlink(near)
                self._files.copy_file(source, near)
                self._files.replace(near, folder / name)
        self._files.write(folder / MANIFEST, _json(batch))

    def make_durable(self, job: Job) -> None:
        """Sync a published target again, because a crash may have come before its sync."""
        target = self.path / str(job.target)
        for folder in (target, target.parent):
            self._files.sync_folder(folder)

    def read_record(self, job: Job) -> Record:
        """The record of a published result. Raises OSError."""
        return Record.model_validate_json(self.record_of(job).read_bytes())

    def record_of(self, job: Job) -> Path:
        """The path of the record of a published result, or of the reason of a failure."""
        folder = self.path / str(job.target)
        return folder / (REASON if _has_failed(job) else f"{folder.name}.json")

    def log_of(self, job: Job) -> Path:
        """The path of the published log of the job."""
        folder = self.path / str(job.target)
        return folder / f"{folder.name}.log"

    def clean(self, pending: set[str]) -> None:
        """Remove incomplete staging folders that a crash has left, except those of `pending`
        jobs."""
        refuse_links(self.path, self._staging)
        for stage in self._staging.glob("*"):
            if stage.name not in pending:
                self._files.remove_tree(stage)

    def _stage(self, job: Job) -> Path:
        stage = self._staging / job.id
        refuse_links(self.path, self._staging)
        self._files.remove_tree(stage)
        self._files.make_folder(stage)
        return stage

    def _keep(self, source: Path, target: Path) -> None:
        """Copy a file of the job; a file that somebody removed is skipped."""
        if source.exists():
            self._put(source, target)

    def _put(self, source: Path, target: Path) -> None:
        """Copy a file of the job, or the files of a folder of frames."""
        if not source.is_dir():
            self._files.copy_file(source, target)
            return
        self._files.make_folder(target)
        for path in sorted(source.iterdir()):
            self._files.copy_file(path, target / path.name)
        self._files.sync_folder(target)

    def _keep_views(self, paths: JobPaths, stage: Path) -> None:
        """Copy all small pictures, or none: an error here does not stop the publication."""
        if not (views := paths.views()):
            return
        folder = stage / PREVIEW
        try:
            self._files.make_folder(folder)
            for name, view in views.items():
                self._files.copy_file(view, folder / name)
            self._files.sync_folder(folder)
        except OSError:
            self._files.remove_tree(folder)

    def _appear(self, job: Job, stage: Path) -> bool:
        target = self.path / str(job.target)
        self._files.sync_folder(stage)
        self._files.make_folder(target.parent, below=self.path)
        if os.path.lexists(target):
            return False
        try:
            self._files.rename(stage, target)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True


def _has_failed(job: Job) -> bool:
    """Whether the job's target is among the failures."""
    return PurePosixPath(str(job.target)).parts[0] == FAILED


def _numbered(path: PurePosixPath) -> Iterator[PurePosixPath]:
    """`path`, `path-2` ..., without the reserved names at the top of the outbox."""
    names = map(path.with_name, numbered(path.name))
    return (name for name in names if str(name) not in RESERVED)


def _json(model: StoredModel) -> bytes:
    return json.dumps(model.model_dump(mode="json"), indent=2, allow_nan=False).encode() + b"\n"
