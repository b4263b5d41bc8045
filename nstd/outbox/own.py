"""Which folders of the outbox are nstd's own: a valid record of theirs, and no file of others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from nstd.documents.model import BATCH_ID
from nstd.outbox.record import Heading, Record
from nstd.outbox.results import read_ended
from nstd.outbox.survey import OutboxFolder, look_at
from nstd.queue.batch import MANIFEST, SHEET, read_manifest
from nstd.queue.job import JOB_ID
from nstd.system.layout import FAILED, PREVIEW, REASON

_FILMS = (".mp4", ".webm", ".gif", ".frames.csv")
_SUFFIXES = (".png", ".jpg", ".webp", ".tiff", *_FILMS, ".json", ".yaml", ".yml", ".log")
FRAMES = ".frames"
"""How the folder of a result ends that is a folder of frames."""
_INPUTS, _CONTENT = "inputs", "content"
_LITTER = re.compile(r"\..*\.tmp|\.sheet-\d+\.png|\.DS_Store|\._.*|Thumbs\.db|desktop\.ini")
"""Files that nobody misses: drafts of ours that a kill has left, and what file managers make."""


def is_record_of(record: Heading, path: str) -> bool:
    """Whether the record can be that of the folder `path`, relative to the outbox."""
    is_failure = path.split("/", maxsplit=1)[0] == FAILED
    if isinstance(record, Record):
        file = PurePosixPath(record.output.file)
        is_own = file.name == record.output.file and file.stem == PurePosixPath(path).name
        return is_own and not is_failure
    return is_failure


def why_not_ours(outbox: Path, place: OutboxFolder) -> str:
    """Why a folder is not, or not only, nstd's own; "" if it is. Follows no link."""
    if place.kind == "batch":
        return _why_no_batch(outbox, place.path)
    record = read_ended(outbox / place.record)
    if record is None or not (JOB_ID.fullmatch(record.job) and is_record_of(record, place.path)):
        return "it has no valid record of its own"
    name = PurePosixPath(place.path).name
    known = {name + suffix for suffix in _SUFFIXES} | {REASON, "job.log"}
    known.add(PurePosixPath(record.sidecar or "").name)
    folders = [PREVIEW, _INPUTS]
    if record.settings.film is not None:
        known.add(SHEET)
        folders.append(f"{name}{FRAMES}")
    return _other(outbox / place.path, known, folders)


def _why_no_batch(outbox: Path, path: str) -> str:
    batch = read_manifest(outbox / path)
    if batch is None or batch.place != path or not BATCH_ID.fullmatch(batch.id):
        return "it has no valid manifest of its own"
    inner = [each.name for each in _entries(outbox / path) if each.is_dir()]
    for name in inner:
        (place,) = look_at(outbox, f"{path}/{name}") or (None,)
        if place is None or place.kind != "result":
            return f"{name} in it has no record"
        if why := why_not_ours(outbox, place):
            return f"{name} in it: {why}"
    return _other(outbox / path, {MANIFEST, SHEET, batch.sidecar}, inner)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as scan:
        return sorted(scan, key=lambda each: each.name)


def _other(folder: Path, files: Iterable[str], folders: Iterable[str]) -> str:
    """The first thing in a folder that is not nstd's: another name, a link, or a wrong kind."""
    for entry in _entries(folder):
        is_known = entry.name in files or _LITTER.fullmatch(entry.name) is not None
        is_file = entry.is_file(follow_symlinks=False) and is_known
        is_folder = entry.is_dir(follow_symlinks=False) and entry.name in folders
        if not (is_file or is_folder):
            return f"it holds {entry.name!r}, which is not nstd's"
        if is_folder and (entry.name in {PREVIEW, _INPUTS} or entry.name.endswith(FRAMES)):
            for inner in _entries(Path(entry.path)):
                is_copy = entry.name == _INPUTS and inner.name == _CONTENT
                if not (inner.is_file(follow_symlinks=False) or (is_copy and _is_flat(inner))):
                    return f"it holds {entry.name}/{inner.name!r}, which is not nstd's"
    return ""


def _is_flat(folder: os.DirEntry[str]) -> bool:
    """Whether it is a folder with files alone: the frames of a content."""
    is_folder = folder.is_dir(follow_symlinks=False)
    return is_folder and all(e.is_file(follow_symlinks=False) for e in _entries(Path(folder.path)))
