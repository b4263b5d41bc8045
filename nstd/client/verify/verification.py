"""Looks through a whole root, and looks a second time at what seems wrong.

Beside a running daemon, folders come and go meanwhile. What is wrong is wrong at two looks, with a
pause between them that is longer than a step of the daemon takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from nstd.client.verify.batches import BatchChecks
from nstd.client.verify.damage import Damage
from nstd.client.verify.gallery import check_gallery
from nstd.client.verify.picture_reader import PictureReader
from nstd.client.verify.repair import repair_all
from nstd.client.verify.results import ResultChecks
from nstd.client.verify.work import check_work
from nstd.documents.config import Config
from nstd.outbox.gallery.entry_store import EntryStore
from nstd.outbox.survey import OutboxFolder, look_at, survey
from nstd.system.durable import Files
from nstd.system.layout import GALLERY, LOCK
from nstd.system.lock import holder

PAUSE = 3.0
"""Seconds between two looks, if a daemon runs."""
_FRESH = 60.0
"""Seconds in which a running daemon has taken a new result into the gallery."""
_LOOKS = 20
"""The most looks at a gallery that changes all the time, because the daemon makes it anew."""

Progress = Callable[[int, int], None]
"""Called with the numbers of folders that are done, and of all."""


class Verification:
    """One run of `nstd verify`. `since`, in seconds since the epoch, leaves out older results."""

    def __init__(self, config: Config, since: float = 0.0) -> None:
        self._config, self._since = config, since
        self._outbox, work = config.folder("outbox"), config.folder("work")
        self._lock, self._reader = work / LOCK, PictureReader(self._outbox)
        self._results = ResultChecks(self._outbox, self._reader)
        self._batches = BatchChecks(self._outbox, work, self._reader)
        self.counts = dict.fromkeys(("results", "failures", "batches"), 0)
        """How many were looked at."""

    def run(self, progress: Progress) -> list[Damage]:
        """Everything that is wrong. Changes nothing."""
        with self._reader:
            found = list(self._look_at_all(progress))
            return self._confirm(found) if found else []

    def repair(self, damages: Iterable[Damage]) -> list[Damage]:
        """Do what the recovery of a daemon could do about them; those that are left."""
        damages = list(damages)
        repair_all(self._config, damages)
        with self._reader:
            return self._confirm(damages)

    def _is_running(self) -> bool:
        return holder(self._lock) is not None

    def _look_at_all(self, progress: Progress) -> Iterator[Damage]:
        places = [each for each in survey(self._outbox) if each.changed >= self._since]
        for number, place in enumerate(places):
            progress(number, len(places))
            self._count(place)
            yield from self._check(place)
        progress(len(places), len(places))
        yield from self._gallery()
        yield from check_work(self._config, is_running=self._is_running())

    def _count(self, place: OutboxFolder) -> None:
        names = {"result": "results", "failure": "failures", "batch": "batches"}
        if place.kind in names:
            self.counts[names[place.kind]] += 1

    def _check(self, place: OutboxFolder) -> Iterator[Damage]:
        if place.kind in {"batch", "no manifest"}:
            yield from self._batches.check(place)
        else:
            yield from self._results.check(place)

    def _gallery(self) -> Iterator[Damage]:
        if not self._config.gallery.enabled:
            return
        until = time.time() - _FRESH if self._is_running() else float("inf")
        records = {
            place.record: place.changed
            for place in survey(self._outbox)
            if place.kind in {"result", "failure"}
        }
        yield from check_gallery(self._outbox, records, until)

    # The second look

    def _confirm(self, damages: list[Damage]) -> list[Damage]:
        """Those of the damages that are still there after a pause."""
        before = self._revision()
        if self._is_running():
            time.sleep(PAUSE)
        found = self._look_again({damage.unit for damage in damages})
        for _ in range(_LOOKS):
            if not (self._is_running() and any(each.unit == GALLERY for each in found)):
                break
            if (now := self._revision()) == before and now:
                break
            before = now
            time.sleep(PAUSE)
            found = [each for each in found if each.unit != GALLERY] + list(self._gallery())
        known = {(damage.kind, damage.place) for damage in damages}
        return [damage for damage in found if (damage.kind, damage.place) in known]

    def _look_again(self, units: set[str]) -> list[Damage]:
        found: list[Damage] = []
        for unit in sorted(units - {GALLERY, "work"}):
            for place in look_at(self._outbox, unit):
                found += self._check(place)
        if GALLERY in units:
            found += self._gallery()
        if "work" in units:
            found += check_work(self._config, is_running=self._is_running())
        return found

    def _revision(self) -> str:
        """Of the gallery's list; it changes whenever the daemon changes an entry."""
        store = EntryStore(self._outbox / GALLERY, Files())
        store.load()
        return store.revision
