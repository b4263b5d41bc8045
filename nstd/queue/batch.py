"""A batch: the jobs made by one sidecar with lists of values, and their common manifest.

A batch under way is a folder `work/.batches/<id>`. When its last job has ended, its manifest
`batch.json` is in the outbox, with its contact sheet and its sidecar.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import ValidationError

from nstd.documents.error_words import in_words
from nstd.documents.model import BATCH_ID, Membership, StoredModel, Version
from nstd.errors import StoreError
from nstd.system.layout import BATCHES, FAILED
from nstd.system.numbered import numbered

MANIFEST, SHEET = "batch.json", "sheet.png"
_TAKEN = {"batch"}  # a folder `batch` with a `batch.json` would look like a job with its record


class End(StoredModel):
    """How a member has ended, and where its result is."""

    state: Literal["finished", "failed"]
    output: str  # its folder in the outbox
    picture: str = ""  # its file there
    code: str = ""


class Member(StoredModel):
    """One job of a batch. `job` is its first id; a job that is put back gets a new one."""

    job: str
    name: str
    axes: dict[str, Any]
    end: End | None = None


class Batch(StoredModel):
    """The whole content of `batch.json`. `round` is 1, and one more for each time that members were
    put back after the batch had ended."""

    id: str
    name: str
    folder: str  # sub-folder of the inbox, mirrored in the outbox; "" at the top
    sidecar: str
    round: int = 1
    submitted: float
    claimed: float
    axes: dict[str, list[Any]]
    members: tuple[Member, ...]
    finished: float | None = None
    sheet: str = ""
    schema_version: Version = 1

    @property
    def place(self) -> str:
        """Its folder in the outbox."""
        return str(PurePosixPath(self.folder, self.name))

    def membership(self, index: int) -> Membership:
        """The part of a job's `job.json` that names its batch."""
        axes = self.members[index].axes
        return Membership(id=self.id, name=self.name, index=index, of=len(self.members), axes=axes)

    def count(self, state: str) -> int:
        """How many members have ended in the state `state`."""
        return sum(member.end is not None and member.end.state == state for member in self.members)


class BatchPaths:
    """Every path of a batch's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = folder / MANIFEST
        self.staged = folder / "members"
        self.ends = folder / "ends"
        self.sheet = folder / SHEET

    def end(self, index: int) -> Path:
        """The file that says how a member has ended."""
        return self.ends / f"{index}.json"

    def read(self) -> Batch:
        """The batch with the ends of its members. Raises StoreError when it cannot be read."""
        try:
            batch = Batch.model_validate_json(self.manifest.read_bytes())
        except (OSError, ValidationError) as error:
            raise StoreError(
                "io_error", f"{self.manifest} cannot be read: {in_words(error)}"
            ) from None
        members = (
            member.model_copy(update={"end": self._read_end(index) or member.end})
            for index, member in enumerate(batch.members)
        )
        return batch.model_copy(update={"members": tuple(members)})

    def _read_end(self, index: int) -> End | None:
        try:
            return End.model_validate_json(self.end(index).read_bytes())
        except (OSError, ValidationError):
            return None


def list_batches(work: Path) -> Iterator[BatchPaths]:
    """The batches that are under way, oldest first."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for folder in sorted((work / BATCHES).iterdir()):
            if BATCH_ID.fullmatch(folder.name):
                yield BatchPaths(folder)


def read_manifest(folder: Path) -> Batch | None:
    """The batch in the manifest of a folder; None where there is no readable manifest."""
    try:
        return Batch.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None


def free_name(outbox: Path, work: Path, folder: str, name: str) -> str:
    """`name`, or the first of `name-2`, `name-3` ... that is not used in the outbox."""
    taken = set(_TAKEN)
    for paths in list_batches(work):
        batch = read_manifest(paths.folder)
        if batch is not None and batch.folder == folder:
            taken.add(batch.name)
    places = (outbox / folder, outbox / FAILED / folder)
    return next(
        candidate
        for candidate in numbered(name)
        if candidate not in taken
        and not any(os.path.lexists(place / candidate) for place in places)
    )
