"""Puts a failed job back into the inbox, to be claimed as every job.

Pictures that are no longer where the sidecar says are restored first, from the copies in the folder
of the failed job; the sidecar is the last, by one rename.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from nstd.client.film_check import drop_folder
from nstd.documents.config import Config
from nstd.documents.film import split_frame
from nstd.documents.grid import parse_grid
from nstd.errors import SidecarError, StoreError
from nstd.intake.locator import Locator
from nstd.outbox.results import list_published, read_heading, read_reason
from nstd.system.durable import Files
from nstd.system.layout import FAILED, REASON
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
        restore_all(inbox, config, name, copies, files)
        sidecar = files.move_to_free_name(failed / name.name, inbox.path / name, below=inbox.path)
        # A picture may have been archived with another job before the sidecar was there.
        restore_all(inbox, config, name, copies, files)
        files.remove_tree(failed)
    except (OSError, ValueError, SidecarError) as error:
        raise StoreError(
            "io_error", f"{failed} cannot be retried: {error}", "submit its sidecar again"
        ) from None
    return sidecar


def failed_of(outbox: Path, batch_id: str) -> list[Path]:
    """The folders of the failed jobs of a batch, in the order of its members."""
    found = []
    for _, path in list_published(outbox / FAILED):
        heading = read_heading(path)
        if heading is not None and heading.batch is not None and heading.batch.id == batch_id:
            found.append((heading.batch.index, path.parent))
    return [folder for _, folder in sorted(found)]


def restore_all(
    inbox: Folder, config: Config, sidecar: PurePosixPath, copies: dict[str, Path], files: Files
) -> None:
    """Restore the pictures that the sidecar names and that are not found any more."""
    for source, copy in copies.items():
        if copy.exists():
            _restore(inbox, config, sidecar, copy, source, files)


def _restore(
    inbox: Folder, config: Config, sidecar: PurePosixPath, copy: Path, source: str, files: Files
) -> None:
    locator = Locator(inbox, Folder(config.folder("styles")))
    try:
        if locator.find(str(sidecar), source) is not None:
            return
        target = inbox.path / join(str(sidecar.parent), split_frame(source)[0])
    except SidecarError:
        return  # a refused path stays refused
    files.make_folder(target.parent, below=inbox.path)
    if copy.is_dir():  # the frames of a film
        drop_folder(copy, target, files)
        return
    temporary = target.with_name(f".nstd-{os.getpid()}.tmp")
    files.unlink(temporary)
    files.copy_file(copy, temporary)
    files.move_to_free_name(temporary, target)


def missing_pictures(config: Config, sidecar: Path) -> list[str]:
    """What a sidecar that was put back waits for: pictures of which no copy was left."""
    inbox = Folder(config.folder("inbox"))
    locator, name = Locator(inbox, Folder(config.folder("styles"))), sidecar.relative_to(inbox.path)
    try:
        named = parse_grid(sidecar.read_bytes(), sidecar.name).pictures
        return [each for each in dict.fromkeys(named) if locator.find(str(name), each) is None]
    except (OSError, SidecarError):  # taken up already, or it will be refused with the reason
        return []
