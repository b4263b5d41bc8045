"""What would become of the files in folders with a recipe, for people who ask; changes nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.errors import NstdError, SidecarError
from nstd.intake import notes
from nstd.intake.contents import NamedPictures, why_no_content
from nstd.intake.first_look import FirstLook, FirstLooks, HeldFile, Rank
from nstd.intake.held import listing
from nstd.intake.locator import Locator
from nstd.intake.made import Made
from nstd.intake.made_note import key_of
from nstd.intake.passed_over import PassedOver, what_it_is
from nstd.intake.recipe_cache import KnownRecipe, RecipeCache
from nstd.intake.scan import DEPTH, Scan
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
        sidecars, self._unreadable = scan.read()
        self._digests: dict[str, str] = {}
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

    @property
    def governed(self) -> Collection[str]:
        """All folders that a recipe is for."""
        return self._governed.keys()

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
        files = {
            f"{folder}/{leaf}": (folder, leaf, signature)
            for folder in folders
            for leaf, signature in sorted(self._root.signatures(folder).items())
        }
        whys = {name: self._why(recipe, *each) for name, each in files.items()}
        ranks = {
            (files[name][2].ctime_ns, key_of(name)): name for name, why in whys.items() if not why
        }
        whys |= self._second_names({name: files[name][0] for _, name in sorted(ranks.items())})
        is_held = self._holder(recipe, {rank: files[name][2] for rank, name in ranks.items()})
        found = [
            Verdict(name, why or (HELD if is_held(name, files[name][2]) else ""))
            for name, why in whys.items()
        ]
        return sorted([*found, *self._no_files(set(folders))])

    def _holder(
        self, recipe: KnownRecipe, free: Mapping[Rank, Signature]
    ) -> Callable[[str, Signature], bool]:
        """Tells which files are held, or would be if the recipe were seen first now."""
        look = self._looks.get(recipe.name.rpartition("/")[0])
        if look is None:
            most = len(free) if recipe.error else max(1, self._most // recipe.jobs)
            look = FirstLook.of({rank: HeldFile.of(s) for rank, s in free.items()}, most)
        return listing(look)

    def _no_files(self, folders: set[str]) -> Iterator[Verdict]:
        """What lies in the folders and is neither a file nor a folder that can be read."""
        for name in self._scan.odd:
            if name.rpartition("/")[0] in folders and (what := what_it_is(self._root, name)):
                yield Verdict(name, f"{what}, which is passed over: copy the picture itself there")
        for name in self._scan.deep:
            if name.rpartition("/")[0] in folders:
                yield Verdict(name, f"is not read: it lies more than {DEPTH} folders deep")
        for name, error in self._unreadable.items():
            if name.rpartition("/")[0] in folders:
                yield Verdict(name, notes.cannot_be_read(error))

    def _why(self, recipe: KnownRecipe, folder: str, leaf: str, signature: Signature) -> str:
        why = why_no_content(folder, leaf, recipe.name, recipe.file, self._named)
        if why:
            return why
        if self._made.is_known(folder, leaf, signature):
            return MADE
        if self._thorough:
            return self._why_by_bytes(folder, leaf)
        return MADE if self._made.is_likely(folder, leaf, signature.size) else ""

    def _why_by_bytes(self, folder: str, leaf: str) -> str:
        name = f"{folder}/{leaf}"
        try:
            with self._root.open(name) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (OSError, NstdError) as error:
            return notes.cannot_be_read(error)
        self._digests[name] = digest
        note = self._made.find(folder, digest)
        if note is None:
            return ""
        other = next((key for key in note.files if self._is_there(folder, key)), "")
        if not other or key_of(leaf) in note.files:
            return MADE
        return f"has the same bytes as {other}, which {MADE}"

    def _is_there(self, folder: str, leaf: str) -> bool:
        return (self._root.path / folder / leaf).is_file()

    def _second_names(self, free: Mapping[str, str]) -> dict[str, str]:
        """Those of the files, given in the order of their arrival with their folders, that have the
        bytes of one before them in the same folder."""
        first: dict[tuple[str, str], str] = {}
        found = {}
        for name, folder in free.items():
            if digest := self._digests.get(name):
                before = first.setdefault((folder, digest), name)
                if before != name:
                    found[name] = f"has the same bytes as {before.rpartition('/')[2]}"
        return found
