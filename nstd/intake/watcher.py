"""Kernel events as hints: they only wake the loop; timed scans find what events miss."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from nstd.documents.settings import WatchSettings
from nstd.logs.log import emit
from nstd.system.layout import CLAIMS
from nstd.system.mounts import filesystem_of, is_network

# Its log would bypass our console and could block on standard error.
logging.getLogger("watchdog").addHandler(logging.NullHandler())

# Other events are not requested: our own scans open every folder.
_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


class _WakeOnEvent(FileSystemEventHandler):
    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        # An exception here would end watchdog's thread, so this only wakes the loop.
        if f"/{CLAIMS}/" not in str(event.src_path):
            self._wake()


class Watcher:
    """Watches one folder tree; when watching fails, the caller's timed scans go on."""

    def __init__(self, path: Path, settings: WatchSettings, wake: Callable[[], None]) -> None:
        self._path, self._settings, self._wake = path, settings, wake
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None
        self._reason = ""
        self.mode = self._choose()

    def _choose(self) -> str:
        if self._settings.mode != "auto":
            return self._settings.mode
        try:
            return "poll" if is_network(filesystem_of(self._path).fstype) else "events"
        except OSError:
            return "events"

    @property
    def interval(self) -> float:
        """Seconds between timed scans: short where there are no events."""
        has_events = self.mode == "events" and not self._reason
        return self._settings.rescan if has_events else self._settings.poll

    def check(self) -> None:
        """Start watching, or start again when the folder was replaced or the watch has died."""
        if self.mode == "poll":
            return
        try:
            status = self._path.stat()
        except OSError:
            self.stop()
            return
        watched = (status.st_dev, status.st_ino)
        if watched == self._watched and self._is_alive():
            return
        self.stop()
        self._start(watched)

    def _start(self, watched: tuple[int, int]) -> None:
        observer: BaseObserver | None = None
        try:
            observer = Observer()
            handler, path = _WakeOnEvent(self._wake), str(self._path)
            observer.schedule(handler, path, recursive=True, event_filter=_EVENTS)
            observer.start()
        except RuntimeError as error:  # no thread could be started
            if observer is not None:
                observer.stop()
            self._degrade(f"{error}; raise the limit on tasks, or set watch.mode: poll")
        except OSError as error:  # most often the limit on inotify watches
            limit = "instances" if error.errno == errno.EMFILE else "watches"
            advice = f"raise fs.inotify.max_user_{limit}, or set watch.mode: poll"
            self._degrade(f"{error.strerror or error}; {advice}")
        else:
            self._observer, self._watched, self._reason = observer, watched, ""

    def _is_alive(self) -> bool:
        """A watched folder that was deleted leaves the observer alive and its emitter dead."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and all(emitter.is_alive() for emitter in observer.emitters)
        )

    def _degrade(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            emit("watch.degraded", reason=reason)

    def stop(self) -> None:
        """Stop watching; `check` starts again."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
        self._observer, self._watched = None, None
