"""What can be claimed: a sidecar, or a picture in the folder of a recipe."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from nstd.documents.grid import GridFile
from nstd.documents.recipe import PictureMode, RecipeFile
from nstd.errors import NstdError
from nstd.intake.locator import Found
from nstd.intake.names import is_sidecar
from nstd.queue.overrides import Overrides
from nstd.system.nofollow import Folder, Signature, join

_FIRST = 101  # above every priority: refused sidecars are answered first


@dataclass(frozen=True, slots=True)
class RecipeUse:
    """The recipe by which a picture becomes a job, and what becomes of the picture."""

    name: str  # relative to the inbox
    signature: Signature
    file: RecipeFile
    pictures: PictureMode


@dataclass(frozen=True, slots=True)
class Ready:
    """A sidecar that can be claimed: with all its pictures, or with its error.

    `parsed` is set when the sidecar was read for its claim. With a `recipe`, it is a picture, and
    `parsed` is the sidecar that the recipe makes for it. `noted` are the pictures that lie in
    folders of recipes, by name: from the claim on, they are no new contents there.
    """

    name: str  # relative to the inbox: the sidecar, or the picture of a recipe folder
    signature: Signature
    parsed: GridFile | None = None
    pictures: tuple[Found, ...] = ()
    error: NstdError | None = None
    priority: int = _FIRST
    recipe: RecipeUse | None = None
    noted: frozenset[str] = frozenset()

    @property
    def folder(self) -> str:
        """The folder that it lies in; "" at the top."""
        return self.name.rpartition("/")[0]

    @property
    def arrived(self) -> float:
        """When it came, in seconds since the epoch, never later than now.

        This is the ctime, which no program can set: copying tools and archives set the mtime to
        that of the original, which may be in the future. Our own renames change the ctime, so it
        is taken from the scan before the claim.
        """
        return min(self.signature.ctime_ns / 1e9, time.time())


def claimable(found: Iterable[Ready], overrides: Overrides) -> list[Ready]:
    """Those of `found` that nobody holds, in the order of the priorities that people gave them."""
    free = [ready for ready in found if not overrides.get(ready.name).held]
    changed = [_with_priority(ready, overrides.get(ready.name).priority) for ready in free]
    return sorted(changed, key=lambda ready: -ready.priority)  # the same are left in their order


def _with_priority(ready: Ready, priority: int | None) -> Ready:
    return ready if priority is None or ready.error else replace(ready, priority=priority)


def find_sidecar(inbox: Folder, name: str) -> Ready | None:
    """The sidecar `name` as it is in the inbox, not read and whatever it waits for; None when
    there is none."""
    try:
        name = join("", name)
        signature = inbox.signature(name)
    except (OSError, NstdError):
        return None
    return Ready(name, signature) if is_sidecar(PurePosixPath(name).name) else None
