"""The recipes of the inbox: read and checked once for each change, with one line in the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.documents.recipe import PICTURE, RecipeFile, parse_recipe
from nstd.documents.strict_yaml import MAX_BYTES
from nstd.errors import NstdError, SidecarError, printable
from nstd.intake.locator import Locator
from nstd.intake.names import is_blank
from nstd.intake.plan import make_plan
from nstd.intake.ready import Ready, RecipeUse
from nstd.intake.recipe_sidecar import with_sidecar
from nstd.logs.log import emit
from nstd.queue.job import Failure
from nstd.system.nofollow import Folder, Signature

_SAMPLE = "picture"
_AT_THE_TOP = (
    "a recipe is for a sub-folder of the inbox: make one, and move the recipe there",
    "`nstd submit` and people drop pictures at the top for jobs of their own",
)


_BLANK = "the recipe says nothing yet: take the # from the lines that you want"


@dataclass(frozen=True)
class KnownRecipe:
    """A recipe in one state of its file: valid, with the number of jobs that each picture makes;
    or with its error."""

    name: str
    signature: Signature
    file: RecipeFile | None = None
    jobs: int = 1
    error: NstdError | None = None

    @property
    def is_blank(self) -> bool:
        """Whether it says nothing, as the one that `nstd init` makes: nobody has made a mistake."""
        return self.error is not None and self.error.message.endswith(_BLANK)


def count_jobs(name: str, file: RecipeFile, config: Config, backends: Backends) -> int:
    """How many jobs the recipe `name` makes of each picture. Raises NstdError if it is wrong."""
    sidecar = file.sidecar_of(f"{_SAMPLE}.jpg", _SAMPLE, lambda s: s.replace(PICTURE, _SAMPLE))
    plan = make_plan(f"{name.rpartition('/')[0]}/{_SAMPLE}.yaml", sidecar, config, backends)
    return len(plan.members) or 1


class RecipeCache:
    """The recipes that were read so far. Without `backends`, their options are not checked."""

    def __init__(self, root: Folder, config: Config, backends: Backends | None) -> None:
        self._root, self._backends = root, backends
        self._known: dict[str, KnownRecipe] = {}
        self._told: dict[str, tuple[Signature, str]] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings: a recipe may have become valid, or wrong."""
        self._config = config
        self._known.clear()

    def get(self, name: str, signature: Signature) -> KnownRecipe | None:
        """The recipe; None while its backend cannot be used. Raises OSError and SidecarError."""
        if (known := self.cached(name, signature)) is not None:
            return known
        try:
            known = self._read(name, signature)
        except NstdError as error:
            if error.code == "backend_unavailable":  # it may work later
                return None
            known = KnownRecipe(name, signature, error=error)
        self._known[name] = known
        self._tell(known)
        return known

    def cached(self, name: str, signature: Signature) -> KnownRecipe | None:
        """The same, but only if it was read before."""
        known = self._known.get(name)
        return known if known is not None and known.signature == signature else None

    def named(self, recipes: Iterable[str]) -> set[str] | None:
        """The pictures that recipes name, by their normal names; None while one is not read.

        Raises OSError and SidecarError.
        """
        named: set[str] = set()
        for name in recipes:
            known = self.cached(name, self._root.signature(name))
            if known is None:
                return None
            places = (Locator.beside(name, s) for s in (known.file.sources if known.file else ()))
            named |= {place for place in places if place is not None}
        return named

    def _read(self, name: str, signature: Signature) -> KnownRecipe:
        if "/" not in name:
            raise SidecarError(
                "sidecar_invalid", f"{printable(name)}: {_AT_THE_TOP[0]}", _AT_THE_TOP[1]
            )
        with self._root.open(name) as file:
            data = file.read(MAX_BYTES + 1)
        if is_blank(data):
            raise SidecarError("sidecar_invalid", f"{printable(name)}: {_BLANK}")
        recipe = parse_recipe(data, name)
        jobs = 1
        if self._backends is not None:
            jobs = count_jobs(name, recipe, self._config, self._backends)
        return KnownRecipe(name, signature, recipe, jobs)

    def refuse(self, known: KnownRecipe, error: NstdError) -> None:
        """Something is wrong with a recipe that shows only with a picture."""
        if (now := self._known.get(known.name)) and now.signature == known.signature:
            self._known[known.name] = replace(known, file=None, error=error)
            self._tell(self._known[known.name])

    def refuse_use(self, recipe: RecipeUse, failure: Failure) -> None:
        """The same, by the failure that the job of a picture would have had."""
        if known := self.cached(recipe.name, recipe.signature):
            self.refuse(known, SidecarError(failure.code, failure.message, failure.hint))

    def read(self, ready: Ready, recipe: RecipeUse) -> Ready | None:
        """`ready` with the sidecar that the recipe makes; None when a file changed since the
        scan."""
        try:
            signatures = [self._root.signature(name) for name in (recipe.name, ready.name)]
            if signatures != [recipe.signature, ready.signature]:
                return None
            return with_sidecar(ready, recipe, self._root)
        except OSError:
            return None
        except SidecarError as error:
            return replace(ready, error=error)

    def _tell(self, known: KnownRecipe) -> None:
        what = (known.signature, known.error.message if known.error else "")
        if self._told.get(known.name) == what:
            return
        self._told[known.name] = what
        recipe = printable(known.name)
        if known.is_blank:
            return
        if known.error is None:
            emit("recipe.loaded", recipe=recipe, jobs=known.jobs)
        else:
            error = known.error
            emit(
                "recipe.invalid",
                recipe=recipe,
                code=error.code,
                message=error.message,
                hint=error.hint,
            )

    def forget(self, names: set[str], hidden: tuple[str, ...] = ()) -> None:
        """Keep only the recipes of these names, and those in folders that are `hidden` now."""
        for known in (self._known, self._told):
            for gone in known.keys() - names:
                if not gone.startswith(hidden):
                    del known[gone]
