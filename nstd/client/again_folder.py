"""Has all pictures of a recipe's folder made once more, with the recipe as it is now.

Pictures that were kept are known by the notes of what is made, which the daemon forgets. Those that
were archived or deleted are known by the records; they are found by their SHA-256 and collected in
a hidden folder of the inbox. One durable request then asks for all of it.
"""

from __future__ import annotations

import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass

from nstd.client.ask import ask
from nstd.client.drop import drop_known
from nstd.client.made_before import GonePicture, MadeBefore
from nstd.client.picture_search import FoundPicture
from nstd.documents.config import Config
from nstd.errors import NstdError, StoreError, printable
from nstd.images.film.kinds import film_kind
from nstd.intake.renewal import STAGED
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files
from nstd.system.layout import STAGED_AGAIN

_LEFT_AFTER = 3600.0
"""Seconds after which a hidden folder without a request is one that a kill has left."""


@dataclass(frozen=True)
class FolderAgain:
    """What `nstd again FOLDER/` would do: nothing has changed yet.

    `there` names the pictures and films that lie in the folder, `found` has those that come back,
    `missing` names those of which no file is left. Each makes `jobs` jobs. `films` of them are
    films, and `failed` of them have failed so far.
    """

    folder: str
    there: list[str]
    found: list[tuple[GonePicture, FoundPicture]]
    missing: list[str]
    jobs: int
    films: int
    failed: int
    is_held: bool
    is_asked: bool
    """Whether a request for the same waits already."""
    until: float
    """What was made until then, in seconds since the epoch, is made once more."""

    @property
    def pictures(self) -> int:
        """How many pictures and films are made once more."""
        return len(self.there) + len(self.found)


def plan_again(config: Config, folder: str) -> FolderAgain:
    """What there is to be made once more in `folder`, which has a recipe.

    Raises NstdError for a recipe that is not valid, and StoreError `not_found` when there is
    nothing.
    """
    look = MadeBefore(config, folder)
    missing = [each for each in look.gone if each.given.sha256 not in look.found]
    found = [
        (each, look.found[each.given.sha256])
        for each in look.gone
        if each.given.sha256 in look.found
    ]
    files = [config.folder("inbox") / name for name in look.there]
    files += [place.root.path / place.name for _, place in found]
    plan = FolderAgain(
        folder,
        look.there,
        found,
        [*look.taken_away, *(each.name for each in missing)],
        look.recipe.jobs,
        sum(film_kind(file) is not None for file in files),
        look.failed,
        look.is_held,
        any(each.job == f"{folder}/" for each in _asked(config)),
        look.until,
    )
    if not plan.pictures:
        names = "".join(f"\n  {printable(name)}" for name in plan.missing[:20])
        said = f", and no file is left of:{names}" if names else ""
        hint = "its pictures are made as they come; `nstd check` says what becomes of each"
        raise StoreError("not_found", f"nothing in {folder}/ can be made again{said}", hint)
    return plan


def make_folder_again(config: Config, plan: FolderAgain) -> str:
    """Ask for it. Returns ` when the daemon runs again`, or an empty string if it runs.

    Raises OSError, and StoreError when a picture changes meanwhile; then nothing is asked for.
    """
    inbox, files = config.folder("inbox"), Files()
    _remove_left(config)
    staged = f"{STAGED_AGAIN}{secrets.token_hex(8)}" if plan.found else ""
    try:
        for gone, found in plan.found:
            target = inbox / staged / gone.name
            files.make_folder(target.parent, below=inbox)
            drop_known(found.root, found.name, target, gone.given.sha256, files)
        request = ControlRequest("again", f"{plan.folder}/", until=plan.until, staged=staged)
        return ask(config, request)
    except (OSError, NstdError):
        if staged:
            shutil.rmtree(inbox / staged, ignore_errors=True)
        raise


def _asked(config: Config) -> list[ControlRequest]:
    """The requests for a folder that the daemon has not carried out yet."""
    pending = ControlRequests(config.folder("work"), Files()).pending()
    return [request for request in pending if request.action == "again"]


def _remove_left(config: Config) -> None:
    """Remove what a command that was killed has collected and not asked for."""
    inbox = config.folder("inbox")
    asked = {each.staged for each in _asked(config)}
    with suppress(OSError):
        for path in inbox.glob(f"{STAGED_AGAIN}*"):
            is_old = time.time() - path.lstat().st_mtime > _LEFT_AFTER
            if STAGED.fullmatch(path.name) and path.name not in asked and is_old:
                shutil.rmtree(path, ignore_errors=True)
