"""Finds what is due: by its age, or because the outbox is larger than it may be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nstd.documents.retention import RetentionSettings
from nstd.outbox.own import why_not_ours
from nstd.outbox.survey import OutboxFolder, survey
from nstd.queue.batch import list_batches, read_manifest
from nstd.queue.store import JobStore
from nstd.system.durable import Files
from nstd.system.layout import ARCHIVE

_PICTURES = {
    *(
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".avif",
        ".avifs",
        ".tif",
        ".tiff",
    ),
    *(".bmp", ".dib", ".gif", ".pbm", ".pgm", ".pnm", ".ppm", ".pam", ".pfm"),
}
"""Other files of the archive are not the daemon's, which puts nothing but pictures there."""
NEWEST = 3600.0
"""Seconds: nothing that changed within this time goes, whatever the config says."""


@dataclass(frozen=True)
class DueUnit:
    """What goes as a whole; `path` is relative to the outbox, `bytes` what it takes on disk.

    `changed` is when it was put there or last changed, in seconds since the epoch. `kept` says why
    it does not go all the same; "": it goes.
    """

    path: str
    kind: Literal["result", "failure", "batch", "picture"]
    changed: float
    bytes: int
    kept: str = ""


def find_due(outbox: Path, work: Path, retention: RetentionSettings, now: float) -> list[DueUnit]:
    """The units that are due at the time `now`, oldest first. Changes nothing."""
    limits = {
        "result": retention.results,
        "batch": retention.results,
        "failure": retention.failures,
        "picture": retention.pictures,
    }
    shortest = 0.0 if retention.size is not None else min(filter(None, retention.times), default=0)
    found_units = _units(outbox, now - max(NEWEST, shortest))
    units = sorted(found_units, key=lambda unit: (unit.changed, unit.path))
    due, young, live = list[DueUnit](), list[DueUnit](), _live_batches(work)
    for unit in units:
        limit, age = limits[unit.kind], now - unit.changed
        if age < NEWEST:
            continue
        (due if limit is not None and age >= limit else young).append(unit)
    found = [_judged(outbox, unit, live) for unit in due]
    if retention.size is not None:
        left = _bytes_of(outbox) - sum(unit.bytes for unit in found if not unit.kept)
        for unit in young:
            if left <= retention.size:
                break
            found.append(_judged(outbox, unit, live))
            left -= 0 if found[-1].kept else unit.bytes
    return found


def is_still_due(outbox: Path, work: Path, unit: DueUnit) -> bool:
    """Whether a unit is as it was found: a sweep takes its time, and people and jobs go on."""
    try:
        now = _unit(outbox, unit.path, unit.kind)
    except OSError:
        return False
    live = _live_batches(work) if unit.kind == "batch" else set()
    return now.changed == unit.changed and not _judged(outbox, now, live).kept


def _units(outbox: Path, until: float) -> Iterator[DueUnit]:
    """Every unit whose record is not younger than `until`, whether it is due or not.

    The members of a batch go with it.
    """
    batch = "\0"
    for place in survey(outbox):
        if place.path.startswith(f"{batch}/"):
            continue
        if place.kind == "batch":
            batch = place.path
        if place.kind in {"result", "failure", "batch"} and place.changed <= until:
            with suppress(OSError):
                yield _unit(outbox, place.path, place.kind)
    for folder, inner, names in os.walk(outbox / ARCHIVE):
        inner[:] = [name for name in inner if name[0] != "."]
        for name in names:
            path = Path(folder, name)
            if name[0] == "." or path.is_symlink() or path.suffix.lower() not in _PICTURES:
                continue
            with suppress(OSError):
                yield _unit(outbox, str(path.relative_to(outbox)), "picture")


def _unit(
    outbox: Path, path: str, kind: Literal["result", "failure", "batch", "picture"]
) -> DueUnit:
    """Its age is that of the last change in it, in content or in name: a rename counts, too."""
    changed, total = 0.0, 0
    for each in _walk(outbox / path):
        status = each.lstat()
        changed = max(changed, status.st_mtime, status.st_ctime)
        total += status.st_blocks * 512
    return DueUnit(path, kind, changed, total)


def _bytes_of(folder: Path) -> int:
    total = 0
    for each in _walk(folder):
        with suppress(OSError):
            total += each.lstat().st_blocks * 512
    return total


def _walk(path: Path) -> Iterator[Path]:
    """`path` and everything below it; links are not followed."""
    yield path
    for folder, inner, names in os.walk(path):
        for name in inner + names:
            yield Path(folder, name)


def _judged(outbox: Path, unit: DueUnit, live: set[str]) -> DueUnit:
    """The unit, with the reason if it has to stay."""
    if unit.kind == "picture":
        return unit
    place = OutboxFolder(unit.kind, unit.path, unit.changed)
    try:
        why = why_not_ours(outbox, place)
    except OSError as error:
        why = f"it cannot be read: {error.strerror}"
    if not why and unit.kind == "batch":
        batch = read_manifest(outbox / unit.path)
        why = "it is under way" if batch is None or batch.id in live else ""
    return DueUnit(unit.path, unit.kind, unit.changed, unit.bytes, why)


def _live_batches(work: Path) -> set[str]:
    """The ids of batches of which something is in work."""
    live = {paths.folder.name for paths in list_batches(work)}
    for job, _ in JobStore(work, Files()).jobs():
        if job.batch is not None:
            live.add(job.batch.id)
    return live
