"""Puts a failed job back into the inbox, to be claimed as every job.

Pictures that are no longer where the sidecar says are restored first, from the copies in the folder
of the failed job; the sidecar is the last, by one rename.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

from nstd.documents.config import Config
from nstd.documents.sidecar import parse_sidecar
from nstd.errors import SidecarError, StoreError
from nstd.intake.locator import Locator
from nstd.intake.names import is_sidecar
from nstd.outbox.results import list_published, read_heading, read_reason
from nstd.system.durable import Files
from nstd.system.layout import FAILED, NEW, REASON
from nstd.system.nofollow import Folder, join


def resubmit(config: Config, failed: Path, files: Files) -> Path:
    """Return the job in the folder `failed` to the inbox; the path of its sidecar there.

    Raises StoreError when the folder has no reason or no sidecar, or the disk fails.
    """
    try:
        reason = read_reason(failed / REASON)
        if reason is None or not reason.sidecar:
            raise ValueError("its reason names no sidecar")
        name = PurePosixPath(join("", reason.sidecar))
        inbox = Folder(config.folder("inbox"))
        copies = {
            picture.file: failed / "inputs" / PurePosixPath(picture.kept).name
            for picture in reason.inputs.pictures()
            if picture.kept is not None
        }
        _restore_all(inbox, config, name, copies, files)
        sidecar = files.move_to_free_name(failed / name.name, inbox.path / name, below=inbox.path)
        # A picture may have been archived with another job before the sidecar was there.
        _restore_all(inbox, config, name, copies, files)
        files.remove_tree(failed)
    except (OSError, ValueError, SidecarError) as error:
        raise StoreError(
            "io_error", f"{failed} cannot be retried: {error}", "submit its sidecar again"
        ) from None
    return sidecar


def resubmit_unreadable(config: Config, job_id: str, files: Files) -> Path:
    """Return the sidecar of a job whose `job.json` cannot be read to the inbox; its path there.

    The daemon does not touch the folder of such a job. The pictures that the sidecar names are
    restored from the copies in that folder. Raises StoreError when there is no sidecar, or the
    disk fails.
    """
    work, inbox = config.folder("work"), Folder(config.folder("inbox"))
    folder = work / job_id
    try:
        (kept,) = [path for path in folder.iterdir() if is_sidecar(path.name)]
        name = PurePosixPath(_place(folder), kept.name)
        copies = _copies(folder, kept)
        _restore_all(inbox, config, name, copies, files)
        sidecar = files.move_to_free_name(kept, inbox.path / name, below=inbox.path)
        _restore_all(inbox, config, name, copies, files)
        files.make_folder(work / NEW)
        files.rename(folder, work / NEW / job_id)  # by one rename: no partial folder is found
        files.remove_tree(work / NEW / job_id)
    except (OSError, ValueError, SidecarError) as error:
        raise StoreError(
            "io_error",
            f"{folder} has no sidecar that can be put back: {error}",
            "take out by hand what is of use, then remove the folder",
        ) from None
    return sidecar


def _place(folder: Path) -> str:
    """The folder of the inbox that a job came from; "", the top, if that is unknown."""
    try:
        place = json.loads((folder / "job.json").read_bytes())["folder"]
        return join("", place) if place else ""
    except (OSError, ValueError, LookupError, TypeError, AttributeError, SidecarError):
        return ""


def _copies(folder: Path, sidecar: Path) -> dict[str, Path]:
    """The copies of its pictures that a job has, by their names in the sidecar."""
    try:
        references = parse_sidecar(sidecar.read_bytes(), sidecar.name).sidecar.references
    except SidecarError:  # it will be refused, with the reason
        return {}
    found = {each.source: sorted(folder.glob(f"{each.label}.*")) for each in references}
    return {source: paths[0] for source, paths in found.items() if paths}


def failed_of(outbox: Path, batch_id: str) -> list[Path]:
    """The folders of the failed jobs of a batch, in the order of its members."""
    found = []
    for _, path in list_published(outbox / FAILED):
        heading = read_heading(path)
        if heading is not None and heading.batch is not None and heading.batch.id == batch_id:
            found.append((heading.batch.index, path.parent))
    return [folder for _, folder in sorted(found)]


def _restore_all(
    inbox: Folder, config: Config, sidecar: PurePosixPath, copies: dict[str, Path], files: Files
) -> None:
    """Restore the pictures that the sidecar names and that are not found any more."""
    for source, copy in copies.items():
        _restore(inbox, config, sidecar, copy, source, files)


def _restore(
    inbox: Folder, config: Config, sidecar: PurePosixPath, copy: Path, source: str, files: Files
) -> None:
    locator = Locator(inbox, Folder(config.folder("styles")))
    try:
        if locator.find(str(sidecar), source) is not None:
            return
        target = inbox.path / join(str(sidecar.parent), source)
    except SidecarError:
        return  # a refused path stays refused
    files.make_folder(target.parent, below=inbox.path)
    temporary = target.with_name(f".nstd-{os.getpid()}.tmp")
    files.unlink(temporary)
    files.copy_file(copy, temporary)
    files.move_to_free_name(temporary, target)
