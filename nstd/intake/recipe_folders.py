"""Folders with a recipe: which of their pictures can be claimed, and what becomes of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from nstd.documents.config import Config
from nstd.documents.recipe import PICTURE
from nstd.errors import SidecarError, in_shell, printable
from nstd.intake import notes
from nstd.intake.contents import Candidate, why_no_content
from nstd.intake.films import too_large
from nstd.intake.first_look import FirstLook, FirstLooks
from nstd.intake.gone_recipes import GoneRecipes
from nstd.intake.held import HeldPictures
from nstd.intake.locator import Found
from nstd.intake.made import Made
from nstd.intake.passed_over import PassedOver
from nstd.intake.pictures import Pictures
from nstd.intake.ready import Ready, RecipeUse
from nstd.intake.recipe_cache import KnownRecipe, RecipeCache
from nstd.intake.scan import Scan
from nstd.intake.scanned_recipes import ScannedRecipes
from nstd.intake.stability import Stability
from nstd.intake.unreadable import Unreadable
from nstd.logs.log import emit
from nstd.logs.throttle import Throttle
from nstd.queue.inbox_note import MOST_NOTES, InboxNote
from nstd.queue.recipe_state import RecipeState
from nstd.system.nofollow import Folder, Signature


class RecipeFolders:
    """What one scan finds in the folders that have a recipe, or are below one that has."""

    def __init__(
        self,
        root: Folder,
        made: Made,
        looks: FirstLooks,
        recipes: RecipeCache,
        pictures: Pictures,
        stability: Stability,
        unreadable: Unreadable,
    ) -> None:
        self._root, self._made, self._looks, self._cache = root, made, looks, recipes
        self._pictures, self._stability, self._unreadable = pictures, stability, unreadable
        self.recipes = ScannedRecipes(root, recipes, stability, unreadable)
        self._held, self._throttle = HeldPictures(root, looks, made), Throttle()
        self.count = self.stuck = 0
        """The pictures that wait; and those of them that do not become ready by waiting alone."""
        self._gone = GoneRecipes(root, made, stability)
        self.states: list[RecipeState] = []
        self.notes: list[InboxNote] = []
        self.missing: dict[str, tuple[Signature, list[str]]] = {}
        """The recipes that wait for pictures, and which these are."""

    def configure(self, config: Config) -> None:
        """Take over new settings."""
        self.recipes.configure(config)
        self._mode, self._priority = config.jobs.pictures, config.jobs.priority
        self._most, self._limits = config.limits.folder_first, config.limits

    def ready(self, now: float, scan: Scan, named: set[str], unread: set[str]) -> Iterator[Ready]:
        """The pictures that can be claimed.

        `named` are the pictures that sidecars name, by normal names. `unread` are the folders with
        a sidecar that is not read yet, and may name any picture.
        """
        self._now, self._scan = now, scan
        self._unread = {scan.governed.get(folder) for folder in unread}
        self.count = self.stuck = 0
        self.states, self.notes, self.missing = [], [], {}
        self._passed_over = PassedOver()
        self._passed_over.add_odd(self._root, scan.odd, scan.deep)
        self._throttle.begin()
        self._held.begin()
        self._looks.forget({name.rpartition("/")[0] for name in scan.recipes})
        self.recipes.read(now, scan)
        self._named = self.recipes.named(named)
        scopes: dict[str, list[str]] = defaultdict(list)
        for folder, name in sorted(scan.governed.items()):
            scopes[name].append(folder)
        for name, recipe in self.recipes.known.items():
            yield from self._scope(name, recipe, scopes[name])
        self.notes += self._gone.look(now, scan)
        self._passed_over.log(self._throttle)
        self.notes += self._passed_over.notes()

    def _scope(self, name: str, recipe: KnownRecipe | None, folders: list[str]) -> Iterator[Ready]:
        """The pictures of one recipe that can be claimed."""
        found = [each for folder in folders for each in self._candidates(folder, name, recipe)]
        settle = recipe.file.recipe.when.settle if recipe and recipe.file else None
        for each in found:
            # By another recipe it settles again: one that is replaced may be away for a moment.
            key = f"{name}//{each.name}"
            each.is_stable = self._stability.is_stable(key, each.signature, settle)
        self.count += len(found)
        folder = name.rpartition("/")[0]
        state = RecipeState(folder=folder)
        if name in self.recipes.closed:
            self.stuck += len(found)
        if recipe is None or recipe.error is not None:
            state = self._without_recipe(state, name, recipe, found)
        else:
            stuck = self.stuck
            try:
                look = self._first_look(name, recipe, found)
                free = self._held.free(folder, look, found)
                if self._held.undecided:
                    self._stability.check_again(self._now)
                self.stuck += len(found) - len(free) - len(self._held.undecided)
                state = self._counted(state, [*free, *self._held.undecided], found)
                if self._has_pictures(name, recipe, len(free)):
                    yield from filter(None, (self._check(each, name, recipe) for each in free))
            except OSError as error:
                self.stuck = stuck + (0 if self._unreadable.may_pass(name, error) else len(found))
            except SidecarError as error:
                self._cache.refuse(recipe, error)
                self.stuck = stuck + len(found)
        if state.folder and (found or recipe is None or not recipe.is_blank):
            self.states.append(state)

    def _without_recipe(
        self, state: RecipeState, name: str, recipe: KnownRecipe | None, found: list[Candidate]
    ) -> RecipeState:
        """The state of a folder whose recipe is wrong or not read; what is held stays held."""
        if recipe is not None and recipe.error is not None:
            self.stuck += len(found)
            if found or not recipe.is_blank:
                self.notes.append(notes.wrong_recipe(name, recipe.error))
            state = state.model_copy(update={"error": recipe.error.message})
        try:
            folder = name.rpartition("/")[0]
            look = self._looks.get(folder)
            free = found if look is None else self._held.free(folder, look, found)
        except OSError as error:
            self._unreadable.may_pass(name, error)
            free = found
        return self._counted(state, free, found)

    def _counted(
        self, state: RecipeState, free: list[Candidate], found: list[Candidate]
    ) -> RecipeState:
        """The state with its counts. What was only touched since it was made is not counted, though
        its bytes are still to be compared."""
        waiting, all_that_wait = (
            sum(not self._made.is_likely(e.folder, e.leaf, e.signature.size) for e in part)
            for part in (free, found)
        )
        return state.model_copy(update={"waiting": waiting, "held": all_that_wait - waiting})

    def _candidates(
        self, folder: str, name: str, recipe: KnownRecipe | None
    ) -> Iterator[Candidate]:
        """The contents in one folder that are not made; those that are cost a stat each."""
        file = recipe.file if recipe else None
        try:
            found = self._root.signatures(folder)
            for leaf, signature in found.items():
                if self._made.is_known(folder, leaf, signature):
                    continue
                if why := why_no_content(folder, leaf, name, file, self._named, found):
                    self._passed_over.add_leaf(folder, leaf, why)
                else:
                    yield Candidate(folder, leaf, signature)
        except FileNotFoundError:
            return
        except (OSError, SidecarError) as error:
            self._unreadable.may_pass(folder, error)

    def _first_look(self, name: str, recipe: KnownRecipe, found: list[Candidate]) -> FirstLook:
        """What was here when the recipe was seen first; looks now if nobody has. Raises OSError."""
        folder, most = name.rpartition("/")[0], max(1, self._most // recipe.jobs)
        look = self._looks.get(folder)
        if look is None:
            look = self._looks.note(folder, {each.rank: each.file for each in found}, most)
            if held := sum(look.holds(each.rank) for each in found):
                emit(
                    "recipe.held",
                    recipe=printable(name),
                    held=held,
                    taken=len(found) - held,
                    hint=f"`nstd release {in_shell(printable(folder))}/` lets the rest go",
                )
        return self._held.tell_moved(folder, look, found, most)

    def _has_pictures(self, name: str, recipe: KnownRecipe, waiting: int) -> bool:
        """Whether all that the recipe names for every picture is there."""
        assert recipe.file is not None
        sources = [source for source in recipe.file.sources if PICTURE not in source]
        missing = [each for each in sources if self._pictures.look(name, each).picture is None]
        if missing:
            self.missing[name] = recipe.signature, list(dict.fromkeys(missing))
            self.stuck += waiting
        return not missing

    def _check(self, each: Candidate, name: str, recipe: KnownRecipe) -> Ready | None:
        """The picture with all that its job needs, if it can be claimed now."""
        assert recipe.file is not None
        stem = PurePosixPath(each.leaf).stem
        sources = [source.replace(PICTURE, stem) for source in recipe.file.sources]
        try:
            looked = [(source, self._pictures.look(name, source)) for source in sources]
        except (OSError, SidecarError) as error:  # of a mask for this picture
            self.stuck += not self._unreadable.may_pass(each.name, error)
            return None
        if not each.is_stable or name in self._unread:
            return None
        if missing := [source for source, state in looked if state.picture is None]:
            self._wait_for(each, missing)
            return None
        if not all(state.is_stable for _, state in looked):
            return None
        return self._claimable(
            each, recipe, [state.picture for _, state in looked if state.picture]
        )

    def _wait_for(self, each: Candidate, missing: list[str]) -> None:
        self.stuck += 1
        if len(self.notes) < MOST_NOTES:
            since = each.signature.ctime_ns / 1e9
            self.notes.append(notes.waiting(each.name, dict.fromkeys(missing), {}, since))

    def _claimable(self, each: Candidate, recipe: KnownRecipe, named: list[Found]) -> Ready | None:
        assert recipe.file is not None
        content = Found(each.leaf, self._root, each.name, each.signature)
        if refusal := too_large(each.name, [content], self._limits):
            self.stuck += 1
            self._passed_over.add(each.name, each.leaf, f"is too large: {refusal.hint}")
            return None
        try:
            self._root.signature(each.name)  # whether it can be opened
        except FileNotFoundError:
            return None
        except (OSError, SidecarError) as error:
            self.stuck += not self._unreadable.may_pass(each.name, error)
            return None
        pictures = (content, *named)
        said = recipe.file.recipe
        return Ready(
            each.name,
            each.signature,
            pictures=pictures,
            priority=self._priority if said.priority is None else said.priority,
            recipe=RecipeUse(
                recipe.name, recipe.signature, recipe.file, said.pictures or self._mode
            ),
            noted=self._scan.in_scopes(pictures),
        )
