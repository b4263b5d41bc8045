"""What would become of the files in folders with a recipe, for people who ask; changes nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.errors import NstdError, SidecarError
from nstd.intake import notes
from nstd.intake.contents import NamedPictures, why_no_content
from nstd.intake.first_look import FirstLook, FirstLooks
from nstd.intake.locator import Locator
from nstd.intake.made import Made
from nstd.intake.made_note import key_of
from nstd.intake.passed_over import PassedOver
from nstd.intake.recipe_cache import KnownRecipe, RecipeCache
from nstd.intake.scan import Scan
from nstd.intake.sidecar_cache import SidecarCache
from nstd.queue.inbox_note import InboxNote
from nstd.queue.recipe_state import RecipeState
from nstd.system.durable import Files
from nstd.system.nofollow import Folder, Signature

MADE, HELD = "is made or used already", "is held"


class Verdict(NamedTuple):
    """A file of the inbox, and why it does not become a job; empty if it does."""

    name: str
    why: str


@dataclass(frozen=True)
class RecipeSurvey:
    """A recipe, and what becomes of each file in its folders."""

    recipe: KnownRecipe
    files: list[Verdict]

    @property
    def folder(self) -> str:
        """The folder of the recipe."""
        return self.recipe.name.rpartition("/")[0]

    @property
    def state(self) -> RecipeState:
        """The same, counted."""
        whys = [verdict.why for verdict in self.files]
        error = self.recipe.error.message if self.recipe.error else ""
        return RecipeState(
            folder=self.folder, waiting=whys.count(""), held=whys.count(HELD), error=error
        )


class Survey:
    """One look at the inbox. With `backends`, the options of recipes are checked; with `thorough`,
    files that were touched or renamed are compared by their bytes. Raises OSError."""

    def __init__(
        self, config: Config, backends: Backends | None = None, *, thorough: bool = False
    ) -> None:
        self._root, self._thorough = Folder(config.folder("inbox")), thorough
        files = Files()  # for reading alone
        self._made, self._looks = Made(self._root, files), FirstLooks(self._root, files)
        self._most = config.limits.folder_first
        scan = Scan(self._root)
        sidecars, _ = scan.read()
        self._scan, self._governed = scan, scan.governed
        self._locator = Locator(self._root, Folder(config.folder("styles")))
        cache = RecipeCache(self._root, config, backends)
        self.recipes = {name: self._recipe(name, cache) for name in scan.recipes}
        valid = [(name, known.file) for name, known in self.recipes.items() if known and known.file]
        self._named = NamedPictures(self._by(sidecars) if valid else set(), valid)

    def _recipe(self, name: str, cache: RecipeCache) -> KnownRecipe | None:
        try:
            known = cache.get(name, self._root.signature(name))
        except (OSError, SidecarError):
            return None
        try:
            for source in known.file.sources if known and known.file else ():
                self._locator.find(name, source)
        except OSError:
            pass  # it is where this command cannot read
        except SidecarError as error:
            assert known is not None
            return replace(known, file=None, error=error)
        return known

    def _by(self, sidecars: list[str]) -> set[str]:
        """The pictures that sidecars name."""
        cache, named = SidecarCache(self._root), set[str]()
        for name in sidecars:
            with suppress(OSError, NstdError):
                known = cache.get(name, self._root.signature(name))
                sources = known.sources if known else ()
                named |= {p for source in sources if (p := Locator.beside(name, source))}
        return named

    def notes(self) -> list[InboxNote]:
        """What people should know of recipes that are wrong, and of what is passed over."""
        found = [
            notes.wrong_recipe(name, known.error)
            for name, known in self.recipes.items()
            if known is not None and known.error is not None and not known.is_blank
        ]
        passed_over = PassedOver()
        passed_over.add_odd(self._root, self._scan.odd, self._scan.deep)
        for known in filter(None, self.recipes.values()):
            for folder in self.scope(known):
                for leaf in self._root.signatures(folder):
                    why = self.why_no_content(known, folder, leaf)
                    passed_over.add_leaf(folder, leaf, why)
        return [*found, *passed_over.notes()]

    def scope(self, recipe: KnownRecipe) -> list[str]:
        """The folders whose pictures a recipe is for."""
        return sorted(each for each, name in self._governed.items() if name == recipe.name)

    def why_no_content(self, recipe: KnownRecipe, folder: str, leaf: str) -> str:
        """Why a file is no content of a recipe, whether it is made or not; empty if it is one."""
        return why_no_content(folder, leaf, recipe.name, recipe.file, self._named)

    def folders(self) -> Iterator[RecipeSurvey]:
        """Each recipe that can be read and says something, with its files. Raises OSError."""
        scopes: dict[str, list[str]] = defaultdict(list)
        for folder, name in sorted(self._governed.items()):
            scopes[name].append(folder)
        for name, known in self.recipes.items():
            if known is not None and not known.is_blank:
                yield RecipeSurvey(known, self._verdicts(known, scopes[name]))

    def _verdicts(self, recipe: KnownRecipe, folders: list[str]) -> list[Verdict]:
        files = [
            (folder, leaf, signature)
            for folder in folders
            for leaf, signature in sorted(self._root.signatures(folder).items())
        ]
        whys = {each: self._why(recipe, *each) for each in files}
        free = [
            (s.ctime_ns, key_of(f"{f}/{leaf}")) for (f, leaf, s), why in whys.items() if not why
        ]
        folder = recipe.name.rpartition("/")[0]
        most = max(1, self._most // recipe.jobs)
        look = self._looks.get(folder) or FirstLook.of(free, most)
        return [
            Verdict(
                name := f"{folder}/{leaf}",
                why or (HELD if look.holds((signature.ctime_ns, key_of(name))) else ""),
            )
            for (folder, leaf, signature), why in whys.items()
        ]

    def _why(self, recipe: KnownRecipe, folder: str, leaf: str, signature: Signature) -> str:
        why = why_no_content(folder, leaf, recipe.name, recipe.file, self._named)
        if why:
            return why
        if self._made.is_known(folder, leaf, signature):
            return MADE
        return MADE if self._thorough and self._has_note(folder, leaf) else ""

    def _has_note(self, folder: str, leaf: str) -> bool:
        try:
            with self._root.open(f"{folder}/{leaf}") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (FileNotFoundError, NstdError):
            return False
        return self._made.find(folder, digest) is not None
