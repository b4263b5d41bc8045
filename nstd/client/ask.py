"""Asks the daemon for something: by a durable request, which waits while no daemon runs."""

from __future__ import annotations

from pathlib import Path

from nstd.client.find import Target, find_job
from nstd.documents.config import Config
from nstd.errors import StoreError
from nstd.intake.names import RECIPES
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files
from nstd.system.layout import LOCK
from nstd.system.lock import holder


def ask(config: Config, request: ControlRequest) -> str:
    """Write the request. Returns ` when the daemon runs again`, or an empty string if it runs."""
    work = config.folder("work")
    ControlRequests(work, Files()).write(request)
    return " when the daemon runs again" if holder(work / LOCK) is None else ""


def find_waiting(config: Config, wanted: str, *, folders: bool = False) -> Target:
    """The job, batch or sidecar that is meant, which does not run yet.

    With `folders`, a name that ends with a slash is the folder of a recipe. Raises StoreError
    `not_found` when there is none, or when it runs.
    """
    if folders and wanted.endswith("/"):
        return _find_folder(config, wanted)
    target = find_job(config, wanted, ("batch", "work", "inbox"))
    work = config.folder("work")
    may_run = target.where == "work" and holder(work / LOCK) is not None
    if may_run and JobPaths(work / target.name).read_job().running:
        raise StoreError(
            "not_found",
            f"{wanted!r} runs already: {target.name}",
            "`nstd cancel` ends it; `nstd pause --now` saves all that run, to continue later",
        )
    return target


def _find_folder(config: Config, wanted: str) -> Target:
    folder, inbox = Path(wanted), config.folder("inbox")
    if folder.is_absolute() and folder.is_relative_to(inbox):
        folder = folder.relative_to(inbox)
    is_below = ".." not in folder.parts and not folder.is_absolute()
    if not is_below or not any((inbox / folder / name).is_file() for name in RECIPES):
        known = "`nstd status` lists the folders with a recipe"
        raise StoreError("not_found", f"no recipe is in the folder {wanted!r} of the inbox", known)
    return Target("folder", f"{folder}/", frozenset())
