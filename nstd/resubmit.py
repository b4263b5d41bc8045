"""A failed job goes back into the inbox, by the door that every job comes through.

Pictures that are no longer where the sidecar says are put back first, from the copies that the
failed folder kept; the sidecar last, by one rename.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

from nstd.config import Config
from nstd.errors import SidecarError, SpoolError
from nstd.files import Files
from nstd.locate import Locator
from nstd.roots import Root, join


def resubmit(config: Config, failed: Path, files: Files) -> Path:
    """Return the job in the folder `failed` to the inbox; where its sidecar lies now.

    Raises SpoolError when the folder has no reason or no sidecar, or the disk fails.
    """
    try:
        reason = json.loads((failed / "reason.json").read_bytes())
        name = PurePosixPath(join("", reason["sidecar"]))
        inbox = Root(config.folder("inbox"))
        for copy, source in _inputs(failed, reason):
            _restore(inbox, config, name, copy, source, files)
        sidecar = files.put_back(failed / name.name, inbox.path / name)
        files.remove_tree(failed)
    except (OSError, ValueError, KeyError, TypeError, SidecarError) as error:
        raise SpoolError(
            "io_error", f"{failed} cannot be retried: {error}", "submit its sidecar again"
        ) from None
    return sidecar


def _inputs(failed: Path, reason: dict[str, object]) -> list[tuple[Path, str]]:
    """Each kept picture with what the sidecar calls it."""
    inputs = reason.get("inputs")
    if not isinstance(inputs, dict) or not inputs:
        return []
    pictures = [inputs["content"], *inputs["styles"]]
    return [(failed / "inputs" / picture["copy"], picture["file"]) for picture in pictures]


def _restore(
    inbox: Root, config: Config, sidecar: PurePosixPath, copy: Path, source: str, files: Files
) -> None:
    locator = Locator(inbox, Root(config.folder("styles")))
    try:
        if locator.find(str(sidecar), source) is not None:
            return
        target = inbox.path / join(str(sidecar.parent), source)
    except SidecarError:
        return  # a path that is refused stays refused
    files.make_folder(target.parent)
    temporary = target.with_name(f".nstd-{os.getpid()}.tmp")
    files.unlink(temporary)
    files.copy_file(copy, temporary)
    files.put_back(temporary, target)
