"""The folders of the outbox: results, failures, batches, and what is none of these."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nstd.queue.batch import MANIFEST, SHEET
from nstd.system.layout import ARCHIVE, FAILED, GALLERY, LOGS, REASON

_RESULTS = (".png", ".jpg", ".webp", ".tiff", ".mp4", ".webm", ".gif", ".frames")

Kind = Literal["result", "failure", "batch", "no record", "no manifest", "link"]


@dataclass(frozen=True)
class OutboxFolder:
    """One folder, relative to the outbox; `changed` is the time of its record (else its own), in
    seconds since the epoch."""

    kind: Kind
    path: str
    changed: float

    @property
    def record(self) -> str:
        """The name of its record, relative to the outbox."""
        name = REASON if self.kind == "failure" else f"{os.path.basename(self.path)}.json"  # noqa: PTH119
        return f"{self.path}/{name}"


def survey(outbox: Path) -> Iterator[OutboxFolder]:
    """Every folder below `outbox` that nstd knows, or should know. Links are not followed."""
    yield from _below(os.fspath(outbox), "", {LOGS, ARCHIVE, GALLERY})


def look_at(outbox: Path, path: str) -> list[OutboxFolder]:
    """The same of one folder of the outbox, without what is below it."""
    place = _place(os.fspath(outbox), path)
    return [] if place is None else [place]


def _below(outbox: str, folder: str, skip: set[str]) -> Iterator[OutboxFolder]:
    try:
        with os.scandir(f"{outbox}/{folder}") as scan:
            names = sorted(each.name for each in scan if _may_be_ours(each, skip))
    except OSError:
        return
    for name in names:
        path = f"{folder}/{name}".lstrip("/")
        place = _place(outbox, path)
        if place is not None:
            yield place
        if place is None or place.kind in {"batch", "no manifest", "no record"}:
            yield from _below(outbox, path, set())


def _may_be_ours(entry: os.DirEntry[str], skip: set[str]) -> bool:
    if entry.name[0] == "." or entry.name in skip:
        return False
    is_link = entry.is_symlink() and entry.name != SHEET  # which is checked with its batch
    return is_link or entry.is_dir(follow_symlinks=False)


def _place(outbox: str, path: str) -> OutboxFolder | None:
    """What a folder is; None for one that only contains others, or is nobody's."""
    full, name = f"{outbox}/{path}", path.rpartition("/")[2]
    with suppress(OSError):
        status = os.lstat(full)
        if stat.S_ISLNK(status.st_mode):
            is_outside = not Path(full).resolve().is_relative_to(Path(outbox).resolve())
            return OutboxFolder("link", path, status.st_mtime) if is_outside else None
        for kind, record in _RECORDS.items():
            with suppress(OSError):
                return OutboxFolder(kind, path, os.lstat(f"{full}/{record.format(name)}").st_mtime)
        return _without_record(path, name, set(os.listdir(full)), status.st_mtime)  # noqa: PTH208
    return None


_RECORDS: dict[Kind, str] = {"result": "{}.json", "failure": REASON, "batch": MANIFEST}


def _without_record(path: str, name: str, names: set[str], changed: float) -> OutboxFolder | None:
    """A folder that looks as if it had lost its record; folders of other people do not."""
    is_result = any(name + suffix in names for suffix in _RESULTS) and f"{name}.yaml" in names
    if SHEET in names and not is_result:
        return OutboxFolder("no manifest", path, changed)
    is_failure = path.startswith(f"{FAILED}/") and f"{name}.log" in names
    return OutboxFolder("no record", path, changed) if is_result or is_failure else None
