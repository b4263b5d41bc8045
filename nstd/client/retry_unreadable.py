"""Puts back what can be saved of a job or batch in work that cannot be read.

The daemon leaves such a folder alone. The sidecar goes back into the inbox, with the pictures that
it names and of which work still has copies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nstd.client.retry import failed_of, restore_all
from nstd.client.unreadable import advice_on_unreadable, list_unreadable
from nstd.documents.config import Config
from nstd.documents.sidecar import parse_sidecar
from nstd.errors import SidecarError, StoreError
from nstd.intake.names import is_sidecar
from nstd.queue.batch import MANIFEST, BatchPaths
from nstd.queue.paths import JobPaths
from nstd.queue.store import folders_of_jobs
from nstd.system.durable import Files
from nstd.system.layout import NEW
from nstd.system.nofollow import Folder, join


def resubmit_unreadable(config: Config, job_id: str, files: Files) -> Path:
    """Return the sidecar of a job or batch in work that cannot be read; where it lies now.

    Jobs of the batch that are in work go on. Raises StoreError when there is no sidecar, or the
    disk fails.
    """
    work, inbox = config.folder("work"), Folder(config.folder("inbox"))
    found = [folder for folder, _ in list_unreadable(work) if folder.name == job_id]
    folder = found[0] if found else work / job_id
    try:
        kept = _sidecar(folder)
        parts = [folder, *_members(config, folder)]
        name = PurePosixPath(_place([*parts, *_batch_of(folder)]), kept.name)
        copies = {source: path for part in reversed(parts) for source, path in _copies(part)}
        restore_all(inbox, config, name, copies, files)
        sidecar = files.move_to_free_name(kept, inbox.path / name, below=inbox.path)
        restore_all(inbox, config, name, copies, files)
        files.make_folder(work / NEW)
        files.rename(folder, work / NEW / job_id)  # at once: no half of it is found
        files.remove_tree(work / NEW / job_id)
    except (OSError, ValueError, SidecarError) as error:
        raise StoreError(
            "io_error",
            f"{folder} has no sidecar that can be put back: {error}",
            advice_on_unreadable(folder),
        ) from None
    return sidecar


def _sidecar(folder: Path) -> Path:
    """The only sidecar in a folder. Raises ValueError and OSError."""
    kept = [path for path in folder.iterdir() if is_sidecar(path.name)]
    if len(kept) != 1:
        raise ValueError(f"it has {len(kept)} sidecars")
    return kept[0]


def _members(config: Config, folder: Path) -> list[Path]:
    """The folders of the jobs of a batch: staged, in work, and failed; none for a single job."""
    work, staged = config.folder("work"), BatchPaths(folder).staged
    if not staged.exists():
        return []
    under_way = [each for each in folders_of_jobs(work) if each.name.startswith(f"{folder.name}-")]
    failed = [each / "inputs" for each in failed_of(config.folder("outbox"), folder.name)]
    return [*folders_of_jobs(staged), *under_way, *failed]


def _batch_of(folder: Path) -> list[Path]:
    """The folder of the batch that a job is staged in, which says where its sidecar came from."""
    batch = BatchPaths(folder.parent.parent)
    return [batch.folder] if batch.staged == folder.parent else []


def _place(folders: list[Path]) -> str:
    """The folder of the inbox that a job came from; the top where that cannot be known."""
    for file in (each / name for each in folders for name in (MANIFEST, JobPaths(each).job.name)):
        try:
            place = json.loads(file.read_bytes())["folder"]
            return join("", place) if place else ""
        except (OSError, ValueError, LookupError, TypeError, AttributeError, SidecarError):
            continue
    return ""


def _copies(folder: Path) -> Iterator[tuple[str, Path]]:
    """The copies of its pictures that a job has, each with its name in the sidecar."""
    try:
        sidecar = _sidecar(folder if folder.name != "inputs" else folder.parent)
        references = parse_sidecar(sidecar.read_bytes(), sidecar.name).sidecar.references
    except (OSError, ValueError, SidecarError):  # the sidecar of a batch, or one to be refused
        return
    for each in references:
        for path in sorted(folder.glob(f"{each.label}.*"))[:1]:
            yield each.source, path
