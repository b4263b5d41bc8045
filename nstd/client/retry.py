"""A failed job goes back into the inbox, by the door that every job comes through.

Pictures that are no longer where the sidecar says are put back first, from the copies that the
failed folder kept; the sidecar last, by one rename.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from nstd.documents.config import Config
from nstd.errors import SidecarError, StoreError
from nstd.intake.locator import Locator
from nstd.outbox.results import batch_of, list_published, read_json
from nstd.system.durable import Files
from nstd.system.layout import FAILED, REASON
from nstd.system.nofollow import Folder, join


def resubmit(config: Config, failed: Path, files: Files) -> Path:
    """Return the job in the folder `failed` to the inbox; where its sidecar lies now.

    Raises StoreError when the folder has no reason or no sidecar, or the disk fails.
    """
    try:
        reason = json.loads((failed / REASON).read_bytes())
        if not isinstance(reason["sidecar"], str):
            raise TypeError("its reason names no sidecar")
        name = PurePosixPath(join("", reason["sidecar"]))
        inbox = Folder(config.folder("inbox"))
        copies = {
            picture["file"]: failed / "inputs" / PurePosixPath(picture["copy"]).name
            for picture in _pictures(reason.get("inputs"))
        }
        _restore_all(inbox, config, name, copies, files)
        sidecar = files.put_back(failed / name.name, inbox.path / name, below=inbox.path)
        # One that lay there may have gone with another job; from now on the sidecar keeps it.
        _restore_all(inbox, config, name, copies, files)
        files.remove_tree(failed)
    except (OSError, ValueError, KeyError, TypeError, SidecarError) as error:
        raise StoreError(
            "io_error", f"{failed} cannot be retried: {error}", "submit its sidecar again"
        ) from None
    return sidecar


def failed_of(outbox: Path, batch_id: str) -> list[Path]:
    """The folders of the jobs of a batch that have failed, in its order."""
    found = []
    for _, path in list_published(outbox / FAILED):
        batch = batch_of(read_json(path))
        if batch and batch["id"] == batch_id:
            found.append((batch.get("index", 0), path.parent))
    return [folder for _, folder in sorted(found)]


def _pictures(described: object) -> Iterator[dict[str, Any]]:
    """Every picture that a reason's `inputs` describe; a style has others inside it."""
    if isinstance(described, dict):
        if "copy" in described:
            yield described
        described = list(described.values())
    if isinstance(described, list):
        for each in described:
            yield from _pictures(each)


def _restore_all(
    inbox: Folder, config: Config, sidecar: PurePosixPath, copies: dict[str, Path], files: Files
) -> None:
    """Put back what the sidecar names and the inbox lacks."""
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
        return  # a path that is refused stays refused
    files.make_folder(target.parent, below=inbox.path)
    temporary = target.with_name(f".nstd-{os.getpid()}.tmp")
    files.unlink(temporary)
    files.copy_file(copy, temporary)
    files.put_back(temporary, target)
