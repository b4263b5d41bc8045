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
from nstd.outbox.gallery.gallery_files import GalleryFiles
from nstd.outbox.gallery.now import Now
from nstd.queue.daemon_state import DaemonState
from nstd.queue.scheduler import Scheduler
from nstd.system.backoff import backoff
from nstd.system.durable import Files
from nstd.system.layout import FAILED, GALLERY_LOCK
from nstd.system.lock import Lock, holder
from nstd.system.primitives import is_full
from nstd.system.waits import USUAL, Waits

BUDGET, PAUSE = 0.05, 0.1
"""Seconds of one step of a scan of the outbox, and of the pause between two steps."""
LONGEST = 600.0
"""The longest wait, in seconds, before the next try after an error."""
MOST = 1000
"""The most ended jobs that wait to be added; with more, the whole outbox is scanned instead."""
_NOTES = 10
"""The most notes about files of the inbox that the page shows."""
_LAST = 2.0
"""Seconds for the remaining work when the daemon ends; the rest is done at the next start."""


class Gallery:
    """`add` is called for each job that ends; `work` updates the files."""

    def __init__(
        self,
        config: Config,
        files: Files,
        scheduler: Scheduler,
        state: DaemonState,
        waits: Waits = USUAL,
    ) -> None:
        self._waits = waits
        self._files, self._scheduler, self._state = files, scheduler, state
        self._pending: list[Path] = []
        self._tries = 0  # failures in a row; the first is logged
        self._lock: Lock | None = None
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings; a new title makes a new page."""
        self._settings, self._outbox = config.gallery, config.folder("outbox")
        self._work = config.folder("work")
        self._gallery_files = GalleryFiles(config, self._files)
        self._now = Now(self._gallery_files.folder, self._work, self._files)
        self._refresh: Iterator[None] | None = None
        self._is_open, self._is_busy = False, False
        self._due, self._refreshed = 0.0, 0.0
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
                self._now.write(self._scheduler, self._describe_state())
        except OSError as error:
            self._fail(now, "disk_full" if is_full(error) else "io_error", error)
        except Exception as error:  # a bug here must not affect a job
            self._fail(now, "internal_error", error)
        else:
            self._is_busy = bool(self._scheduler.running or self._pending)

    def _must_rescan(self, now: float) -> bool:
        """Whether the outbox was changed by others since the last scan, which was long ago."""
        is_due = now - self._refreshed > self._waits.gallery_scan
        return is_due and self._has_changed()

    def _describe_state(self) -> dict[str, Any]:
        """The state of the daemon, as the page shows it."""
        return {
            "state": self._state.phase,
            "paused": self._state.paused,
            "starts": self._starts(),
            "inbox": self._state.inbox,
            "notes": self._notes(),
            "revision": self._gallery_files.entries.revision,
        }

    def _starts(self) -> dict[str, Any] | None:
        """Why no job is started; until when in milliseconds. None while jobs are started."""
        pause = self._scheduler.start_pause
        if pause is None:
            return None
        until = None if pause.until is None else round(pause.until * 1000)
        return {"cause": pause.cause, "until": until, "reason": printable(pause.reason)}

    def _notes(self) -> list[dict[str, Any]]:
        """Notes about files of the inbox that will not become jobs; times are in milliseconds."""
        has_made = self._gallery_files.entries.count > 0
        notes = [n for n in self._state.notes if not (has_made and n.kind == "unnamed")]
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
        if not self._is_open or (self._refresh is None and not self._gallery_files.is_there):
            self._open(now)
        elif self._refresh is None and self._must_rescan(now):
            self._refresh = self._gallery_files.refresh()
        if self._refresh is not None:
            self._continue_refresh(now)
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
        self._gallery_files.open()
        self._now.open(self._outbox)
        self._refresh, self._is_open, self._refreshed = self._gallery_files.refresh(), True, now

    def _continue_refresh(self, now: float) -> None:
        """Do one step of the scan of the outbox."""
        until = time.monotonic() + BUDGET
        assert self._refresh is not None
        for _ in self._refresh:
            if time.monotonic() > until:
                self._due = now + PAUSE
                return
        self._refresh, self._refreshed = None, now
        self._take_in()
        self._tries = 0

    def _take_in(self) -> None:
        pending, self._pending = self._pending, []
        self._gallery_files.add(pending)
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
            path = os.fspath(getattr(error, "filename", None) or self._gallery_files.folder)
            emit("gallery.failed", path=printable(path), code=code, error=printable(str(error)))
        self._is_open, self._is_busy, self._refresh = False, False, None
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
                if self._refresh is None:
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
        return is_off or self._refresh is None

    def next_event(self, _now: float) -> float:
        """When to continue, if nothing happens before."""
        if not self._settings.enabled:
            return float("inf")
        is_due = self._is_busy or self._refresh is not None or not self._is_open
        return self._due if is_due or self._pending else float("inf")

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()
