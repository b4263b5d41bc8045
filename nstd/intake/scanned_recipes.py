"""The recipes that a scan of the inbox has seen, valid or not."""

from __future__ import annotations

from nstd.documents.config import Config
from nstd.errors import SidecarError, printable
from nstd.intake.contents import NamedPictures
from nstd.intake.recipe_cache import KnownRecipe, RecipeCache
from nstd.intake.scan import Scan
from nstd.intake.stability import Stability
from nstd.intake.unreadable import Unreadable
from nstd.system.nofollow import Folder

_BACKEND_PAUSE = 5.0
"""Seconds until a recipe is tried again whose backend cannot be used now."""


class ScannedRecipes:
    """The recipes of the last scan, by their names in the inbox."""

    def __init__(
        self, root: Folder, cache: RecipeCache, stability: Stability, unreadable: Unreadable
    ) -> None:
        self._root, self._cache = root, cache
        self._stability, self._unreadable = stability, unreadable
        self._governed: dict[str, str] = {}
        self.known: dict[str, KnownRecipe | None] = {}
        """None is one that is not known yet."""
        self.closed: set[str] = set()
        """Those that cannot be read for long."""

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self._cache.configure(config)
        self._mode = config.jobs.pictures

    def read(self, now: float, scan: Scan) -> None:
        """Read those of a scan that are new or changed."""
        self._governed, self.closed = scan.governed, set()
        self.known = {name: self._recipe(name, now) for name in scan.recipes}

    def _recipe(self, name: str, now: float) -> KnownRecipe | None:
        try:
            signature = self._root.signature(name)
            if not self._stability.is_stable(name, signature):
                return None
            known = self._cache.get(name, signature)
        except FileNotFoundError:
            return None
        except (OSError, SidecarError) as error:
            if not self._unreadable.may_pass(name, error):
                self.closed.add(name)
            return None
        if known is None:
            self._stability.check_again(now + _BACKEND_PAUSE)
        return known

    def named(self, by_sidecars: set[str]) -> NamedPictures:
        """The pictures that they and sidecars name; those of sidecars are given."""
        valid = [(name, each.file) for name, each in self.known.items() if each and each.file]
        return NamedPictures(by_sidecars, valid)

    def taker(self, name: str) -> str:
        """The recipe that takes pictures like `name` out of the inbox; empty if none does."""
        recipe = self._governed.get(name.rpartition("/")[0], "")
        known = self.known.get(recipe)
        if known is None or known.file is None:
            return ""
        mode = known.file.recipe.pictures or self._mode
        return "" if mode == "keep" else f"{printable(recipe)} (pictures: {mode})"
