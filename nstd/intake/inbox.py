"""What can be claimed: sidecars, and pictures in the folder of a recipe.

Kernel events are only hints: the directory itself is read.

A sidecar is ready when it and every picture that it names are stable. It is also ready, with an
error, when it can never become a valid job.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.errors import SidecarError
from nstd.intake import notes
from nstd.intake.films import too_large
from nstd.intake.first_look import FirstLooks
from nstd.intake.holds import Holds
from nstd.intake.locator import Locator
from nstd.intake.made import Made
from nstd.intake.orphans import WARN_AFTER, Orphans, did_not_come
from nstd.intake.pictures import Pictures
from nstd.intake.ready import Ready
from nstd.intake.recipe_cache import RecipeCache
from nstd.intake.recipe_folders import RecipeFolders
from nstd.intake.scan import Scan
from nstd.intake.sidecar_cache import CachedSidecar, SidecarCache
from nstd.intake.stability import Stability
from nstd.intake.unreadable import Unreadable
from nstd.queue.inbox_note import MOST_NOTES, InboxNote
from nstd.system.durable import Files
from nstd.system.nofollow import Folder, Signature
from nstd.system.units import format_size
from nstd.system.waits import USUAL, Waits

_NO_SIDECAR = 2**20
"""Larger files (bytes) are not sidecars, whatever their name; they are ignored, like FIFOs."""


class Inbox:
    """What the scans of the inbox have found. All of it is in memory and can be found again."""

    def __init__(
        self,
        config: Config,
        waits: Waits = USUAL,
        files: Files | None = None,
        backends: Backends | None = None,
    ) -> None:
        """Without `backends`, recipes are taken for valid whatever their options are."""
        self.holds = Holds(waits.claim)
        self._stability = Stability(config.watch.settle)
        self._unreadable = Unreadable(self._stability)
        inbox, files = Folder(config.folder("inbox")), files or Files()
        self._listing, self._sidecars = Scan(inbox), SidecarCache(inbox)
        self._pictures, self._orphans = Pictures(self._stability), Orphans()
        self.made, self._looks = Made(inbox, files), FirstLooks(inbox, files)
        self.recipes = RecipeCache(inbox, config, backends)
        self.folders = RecipeFolders(
            inbox,
            self.made,
            self._looks,
            self.recipes,
            self._pictures,
            self._stability,
            self._unreadable,
        )
        self._named: set[str] = set()  # pictures that sidecars name, in this scan
        self._unread: set[str] = set()  # folders with a sidecar that is not read yet
        self._now = 0.0
        self.scans = 0
        """The number of scans so far."""
        self.count = 0
        """Sidecars found by the last scan, and folders that could not be read but may be readable
        soon."""
        self.present: tuple[set[str], tuple[str, ...]] = set(), ()
        """The sidecars of the last scan, and how the names begin that it could not see."""
        self._stuck = 0
        self._batches: set[str] = set()  # in this scan
        self._has_unread = True  # in this scan
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings; what the scans have found is kept."""
        self.root = Folder(config.folder("inbox"))
        self.locator = Locator(self.root, Folder(config.folder("styles")))
        self._stability.settle = config.watch.settle
        self.folders.configure(config)
        self._limits = config.limits
        self._orphan_wait, self._priority = config.watch.orphan, config.jobs.priority

    def ready(self, now: float) -> list[Ready]:
        """Read the directory; what can be claimed, highest priority first, then by arrival.

        `now` is in seconds of the monotonic clock. Raises OSError when the inbox itself cannot
        be read; then nothing known is forgotten.
        """
        names, unreadable = self._listing.read()
        self._now, self._stuck = now, 0
        self._batches, self._has_unread = set(), False
        self._stability.begin(now)
        self._unreadable.begin(now)
        self._orphans.begin()
        self._pictures.begin(self.locator)
        self._sidecars.begin()
        self._named, self._unread = set(), set()
        passing = [self._unreadable.may_pass(folder, error) for folder, error in unreadable.items()]
        found = [ready for name in names if (ready := self._check(name)) is not None]
        found += self._in_folders()
        self.scans, self.count = self.scans + 1, len(names) + sum(passing) + self.folders.count
        self._forget({*names, *self._listing.recipes, *(ready.name for ready in found)}, unreadable)
        free = [ready for ready in found if not self._is_held(ready.name)]
        return sorted(free, key=lambda r: (-r.priority, r.arrived, r.name))

    def _in_folders(self) -> list[Ready]:
        """The pictures in folders with a recipe that can be claimed."""
        found = list(self.folders.ready(self._now, self._listing, self._named, self._unread))
        self._stuck += self.folders.stuck
        for name, (signature, missing) in self.folders.missing.items():
            self._wait_for(name, signature, missing)
        for name in self._listing.recipes:
            if name not in self.folders.missing:
                self._orphans.remove(name)
        return found

    def read(self, ready: Ready) -> Ready | None:
        """`ready` with the content of its sidecar; None when the file changed since the scan."""
        if ready.recipe is not None:
            return self.recipes.read(ready, ready.recipe)
        try:
            parsed = self._sidecars.read(ready.name, ready.signature)
        except SidecarError as error:
            return replace(ready, error=ready.error or error)
        return replace(ready, parsed=parsed) if parsed is not None else None

    def hold(self, folder: str, *, is_held: bool) -> bool:
        """Hold the pictures in the folder of a recipe, or let them go; False where that changes
        nothing. Raises OSError."""
        return self._looks.hold(folder, is_held=is_held)

    @property
    def deadline(self) -> float:
        """The time (monotonic clock) at which the next scan may find something ready."""
        return self._stability.deadline

    @property
    def pending(self) -> int:
        """How many entries of the last scan may become ready by waiting alone: not those without
        their pictures, nor those that cannot be read for long."""
        return max(0, self.count - self._stuck)

    @property
    def batches(self) -> frozenset[str] | None:
        """The batches that sidecars of the last scan are members of; None while one is not read."""
        return None if self._has_unread else frozenset(self._batches)

    def notes(self) -> list[InboxNote]:
        """Notes about the files of the last scan that will not become jobs as they are."""
        pictures = self._pictures.found()
        named = {picture.name for picture in pictures if picture.root == self.root}
        found = [*self._orphans.notes(), *self._unreadable.notes()]
        found += [*notes.mistaken(self._listing.mistakes, named), *self.folders.notes]
        if not self.pending:  # else a sidecar that is not read yet may name the pictures
            found += notes.unnamed(self._listing.pictures, named, found)
        return found[:MOST_NOTES]

    def needed(self) -> set[str] | None:
        """The inbox pictures that sidecars and recipes name now, in Unicode normal form.

        None while there is a sidecar that is not read yet. Raises OSError.
        """
        pictures: set[str] = set()
        names, unreadable = self._listing.read()
        if unreadable:
            return None
        for name in names:
            known = self._sidecars.cached(name, self.root.signature(name))
            if known is None:
                return None
            pictures |= self._beside(name, known.sources)
        by_recipes = self.recipes.named(self._listing.recipes)
        return None if by_recipes is None else pictures | by_recipes

    def _beside(self, sidecar: str, sources: Iterable[str]) -> set[str]:
        places = (self.locator.beside(sidecar, source) for source in sources)
        return {place for place in places if place is not None}

    def _check(self, name: str) -> Ready | None:
        try:
            signature = self.root.signature(name)
            if signature.size > _NO_SIDECAR:
                raise SidecarError("path_refused", f"{format_size(signature.size)} is no sidecar")
            is_stable = self._stability.is_stable(name, signature)
            known = self._sidecars.get(name, signature) if is_stable else None
            if known is None:
                self._has_unread = True
                self._unread.add(name.rpartition("/")[0])
                if is_stable:
                    self._stability.check_again(self._now)
                return None
            self._batches.add(known.batch)
            if self._listing.governed:
                self._named |= self._beside(name, known.sources)
            if known.error is not None:
                return Ready(name, signature, error=known.error)
            return self._with_pictures(name, known)
        except FileNotFoundError:
            self._stuck += 1
        except (OSError, SidecarError) as error:
            self._stuck += not self._unreadable.may_pass(name, error)
        return None

    def _with_pictures(self, name: str, known: CachedSidecar) -> Ready | None:
        try:
            looked = [self._pictures.look(name, source) for source in known.sources]
        except SidecarError as error:
            return Ready(name, known.signature, error=error)
        found = tuple(each.picture for each in looked if each.picture is not None)
        if len(found) < len(looked):
            sources = zip(known.sources, looked, strict=True)
            missing = [source for source, each in sources if each.picture is None]
            return self._orphan(name, known.signature, list(dict.fromkeys(missing)))
        self._orphans.remove(name)
        noted = self._listing.in_scopes(found)
        priority = self._priority if known.priority is None else known.priority
        refusal = too_large(name, found, self._limits)
        ready = Ready(
            name, known.signature, pictures=found, error=refusal, priority=priority, noted=noted
        )
        return ready if all(each.is_stable for each in looked) else None

    def _orphan(self, name: str, signature: Signature, missing: list[str]) -> Ready | None:
        since = self._wait_for(name, signature, missing)
        if self._now - since < self._orphan_wait:
            self._stability.check_again(since + self._orphan_wait)
            self._stuck += 1
            return None
        taker = self.folders.recipes.taker(self.locator.beside(name, missing[0]) or "")
        error = did_not_come(name, missing, self.locator, taker)
        return Ready(name, signature, error=error)

    def _wait_for(self, name: str, signature: Signature, missing: list[str]) -> float:
        """Note that a sidecar or a recipe waits for pictures; returns since when."""
        seen = self._listing.files
        since = self._orphans.add(name, signature, missing, self.locator, seen, self._now)
        if self._now - since < WARN_AFTER:
            self._stability.check_again(since + WARN_AFTER)
        return since

    def _is_held(self, name: str) -> bool:
        until = self.holds.until(name)
        if until <= self._now:
            return False
        self._stability.check_again(until)
        return True

    def _forget(self, names: set[str], unreadable: Iterable[str]) -> None:
        """Forget removed files, but not those in folders that cannot be read now."""
        hidden = tuple(f"{folder}/" for folder in unreadable)
        self.present = names, hidden
        self._sidecars.forget(names, hidden)
        self._orphans.forget(names, hidden)
        self.recipes.forget(names, hidden)
        self.holds.forget(names, hidden)
