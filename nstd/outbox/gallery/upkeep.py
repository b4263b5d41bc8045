"""Keeps the gallery up to date, in small steps that do not delay the daemon's other work."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from nstd.documents.config import Config
from nstd.errors import StoreError, printable
from nstd.logs.log import emit
from nstd.outbox.gallery.album import Album
from nstd.outbox.gallery.now import Now
from nstd.queue.outlook import Outlook
from nstd.queue.scheduler import Scheduler
from nstd.system.backoff import backoff
from nstd.system.durable import Files, is_full
from nstd.system.layout import FAILED, GALLERY_LOCK
from nstd.system.lock import Lock, holder
from nstd.system.waits import USUAL, Waits

"""A lock file in the work folder; the process that holds the lock writes the gallery."""
BUDGET, REST = 0.05, 0.1
"""Seconds that a look at the outbox takes at once, and leaves to others in between."""
LONGEST = 600.0
"""Seconds, at most, until it is tried again after an error."""
MOST = 1000
"""Jobs that may wait to be taken in; for more, the outbox is looked at as a whole."""
_NOTES = 10
"""So many files of the inbox that become no job as they are get a line."""
_LAST = 2.0
"""Seconds for the remaining work when the daemon ends; the rest is done at the next start."""


class Gallery:
    """`add` is called for each job that ends; `work` updates the files."""

    def __init__(
        self,
        config: Config,
        files: Files,
        scheduler: Scheduler,
        outlook: Outlook,
        waits: Waits = USUAL,
    ) -> None:
        self._waits = waits
        self._files, self._scheduler, self._outlook = files, scheduler, outlook
        self._pending: list[Path] = []
        self._tries = 0  # failures in a row; the first is logged
        self._lock: Lock | None = None
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings; a new title makes a new page."""
        self._settings, self._outbox = config.gallery, config.folder("outbox")
        self._work = config.folder("work")
        self._album = Album(config, self._files)
        self._now = Now(self._album.folder, self._work, self._files)
        self._look: Iterator[None] | None = None
        self._is_open, self._is_busy = False, False
        self._due, self._looked = 0.0, 0.0
        self._seen: list[int] = []

    def add(self, record: Path) -> None:
        """Add a job that is published and logged; `record` is its record or its reason."""
        if not self._settings.enabled:
            return
        self._pending.append(record)
        if len(self._pending) > MOST:
            self._pending.clear()
            self._is_open = False  # a scan of the outbox will find them

    def work(self, now: float) -> None:
        """Do the work of one turn. An error is logged once and the work is tried again later."""
        if not self._settings.enabled or now < self._due:
            return
        try:
            self._step(now)
            if self._is_open:
                self._now.write(self._scheduler, self._daemon_state())
        except OSError as error:
            self._fail(now, "disk_full" if is_full(error) else "io_error", error)
        except Exception as error:  # a bug here must not affect a job
            self._fail(now, "internal_error", error)
        else:
            self._is_busy = bool(self._scheduler.running or self._pending)

    def _must_look(self, now: float) -> bool:
        """Whether the last look for results that people have removed was long ago."""
        return now - self._looked > self._waits.gallery_look

    def _daemon_state(self) -> dict[str, Any]:
        """What the page tells of the daemon."""
        outlook, revision = self._outlook, self._album.shelf.revision
        told = {"state": outlook.state, "paused": outlook.paused, "inbox": outlook.inbox}
        return told | {"notes": self._notes(), "revision": revision}

    def _notes(self) -> list[dict[str, Any]]:
        """What in the inbox becomes no job as it is; the time in milliseconds, as scripts do."""
        has_made = self._album.shelf.count > 0
        notes = [n for n in self._outlook.notes if not (has_made and n.kind == "unnamed")]
        return [
            {
                "text": printable(f"{note.name} {note.message}"),
                "since": None if note.since is None else round(note.since * 1000),
            }
            for note in notes[:_NOTES]
        ]

    def _step(self, now: float) -> None:
        self._due = now + self._settings.every
        if self._lock is None and not self._take_lock():
            return
        if not self._is_open or (self._look is None and not self._album.is_there):
            self._open(now)
        elif (
            self._look is None
            and now - self._looked > self._waits.gallery_look
            and self._has_changed()
        ):
            self._look = self._album.refresh()
        if self._look is not None:
            self._go_on(now)
        elif self._pending:
            self._take_in()

    def _take_lock(self) -> bool:
        """Take the lock; False while `nstd gallery` holds it."""
        path = self._work / GALLERY_LOCK
        if holder(path) is not None:
            return False
        lock = Lock(path)
        with suppress(StoreError):
            lock.acquire()
            self._lock = lock
        return self._lock is not None

    def _open(self, now: float) -> None:
        self._album.open()
        self._now.open(self._outbox)
        self._look, self._is_open, self._looked = self._album.refresh(), True, now

    def _go_on(self, now: float) -> None:
        """Do one step of the scan of the outbox."""
        until = time.monotonic() + BUDGET
        assert self._look is not None
        for _ in self._look:
            if time.monotonic() > until:
                self._due = now + REST
                return
        self._look, self._looked = None, now
        self._take_in()
        self._tries = 0

    def _take_in(self) -> None:
        pending, self._pending = self._pending, []
        self._album.add(pending)
        self._seen = self._times()

    def _has_changed(self) -> bool:
        """Whether another process has added folders to the outbox or removed some."""
        return not self._pending and self._times() != self._seen

    def _times(self) -> list[int]:
        times = []
        for folder in (self._outbox, self._outbox / FAILED):
            with suppress(OSError):
                times.append(folder.stat().st_mtime_ns)
        return times

    def _fail(self, now: float, code: str, error: Exception) -> None:
        """Log the first error of a row, and start again later with a scan."""
        if not self._tries:
            path = os.fspath(getattr(error, "filename", None) or self._album.folder)
            emit("gallery.failed", path=printable(path), code=code, error=printable(str(error)))
        self._is_open, self._is_busy, self._look = False, False, None
        self._pending.clear()
        self._tries += 1
        self._due = now + backoff(self._tries, self._waits.gallery, LONGEST)

    def close(self) -> None:
        """Write a last time; work that takes long is left for the next start."""
        until = time.monotonic() + _LAST
        if self._settings.enabled and not self._tries:
            self._due = 0.0
            while time.monotonic() < until and not self._tries:
                self.work(0.0)
                if self._look is None:
                    break
                self._due = 0.0
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Whether no scan of the outbox is in progress; other work is short and done by `close`."""
        is_off = not self._settings.enabled or bool(self._tries) or self._lock is None
        return is_off or self._look is None

    def next_event(self, _now: float) -> float:
        """When to continue, if nothing happens before."""
        if not self._settings.enabled:
            return float("inf")
        is_due = self._is_busy or self._look is not None or not self._is_open
        return self._due if is_due or self._pending else float("inf")

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()
