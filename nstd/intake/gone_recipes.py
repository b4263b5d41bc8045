"""Tells what waits in folders whose recipe was removed while the daemon runs."""

from __future__ import annotations

from collections.abc import Iterator

from nstd.errors import NstdError, in_shell, printable
from nstd.intake.locator import is_picture
from nstd.intake.made import Made
from nstd.intake.names import is_ignored
from nstd.intake.scan import Scan
from nstd.intake.stability import Stability
from nstd.logs.log import emit
from nstd.queue.inbox_note import InboxNote
from nstd.system.nofollow import Folder
from nstd.system.units import counted

_AFTER = 5.0
"""Seconds for which a recipe is away before it counts as removed: it may be replaced."""


class GoneRecipes:
    """The recipes of earlier scans that are not there now."""

    def __init__(self, root: Folder, made: Made, stability: Stability) -> None:
        self._root, self._made, self._stability = root, made, stability
        self._scopes: dict[str, list[str]] = {}  # the folders of each recipe, when it was there
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def look(self, now: float, scan: Scan) -> Iterator[InboxNote]:
        """A note for each folder in which pictures wait for a recipe; the log is told once."""
        for name in scan.recipes:
            self._since.pop(name, None)
            self._told.discard(name)
            self._scopes[name] = []
        for folder, name in scan.governed.items():
            self._scopes[name].append(folder)
        for name in self._scopes.keys() - set(scan.recipes):
            since = self._since.setdefault(name, now)
            if now - since < _AFTER:
                self._stability.check_again(since + _AFTER)
            elif count := sum(map(self._count, self._left(name, scan))):
                yield self._tell(name, count)
            else:
                del self._scopes[name]

    def _left(self, name: str, scan: Scan) -> list[str]:
        """The folders that had the recipe and that no other is for now."""
        return [folder for folder in self._scopes[name] if folder not in scan.governed]

    def _count(self, folder: str) -> int:
        """How many pictures of a folder wait."""
        try:
            files = self._root.signatures(folder)
            return sum(
                is_picture(leaf)
                and not is_ignored(leaf)
                and not self._made.is_known(folder, leaf, signature)
                for leaf, signature in files.items()
            )
        except (OSError, NstdError):
            return 0

    def _tell(self, name: str, count: int) -> InboxNote:
        folder = printable(name.rpartition("/")[0])
        hint = f"`nstd recipe {in_shell(folder)} STYLE` makes one"
        if name not in self._told:
            self._told.add(name)
            emit("recipe.gone", recipe=printable(name), pictures=count, hint=hint)
        waits = counted(count, "file waits", "files wait")
        return InboxNote(name=name, kind="recipe", message=f"was removed, and {waits}: {hint}")
