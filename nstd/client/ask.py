"""Asks the daemon for something: by a durable request, which waits while no daemon runs."""

from __future__ import annotations

from nstd.client.find import Target, find_job
from nstd.client.recipe_folder import find_recipe_folder, folder_meant
from nstd.documents.config import Config
from nstd.errors import StoreError
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
        return Target("folder", f"{find_recipe_folder(config, wanted)}/", frozenset())
    try:
        target = find_job(config, wanted, ("batch", "work", "inbox"))
    except StoreError as error:
        raise (folder_meant(config, wanted, error) if folders else error) from None
    work = config.folder("work")
    may_run = target.where == "work" and holder(work / LOCK) is not None
    if may_run and JobPaths(work / target.name).read_job().running:
        raise StoreError(
            "not_found",
            f"{wanted!r} runs already: {target.name}",
            "`nstd cancel` ends it; `nstd pause --now` saves all that run, to continue later",
        )
    return target
