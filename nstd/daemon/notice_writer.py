"""Writes the notices that the config asks for; another process sends them."""

from __future__ import annotations

import os
import time
from typing import Any

from nstd.documents.config import Config
from nstd.errors import printable, shortened
from nstd.logs.log import listen
from nstd.logs.throttle import DiskErrors
from nstd.queue.daemon_state import DaemonState
from nstd.queue.notices import SHOWN, Notice, NoticeFolder
from nstd.queue.scheduler import Scheduler
from nstd.system.durable import Files
from nstd.system.layout import NOTICES

EVERY = 1.0
"""Seconds between two files, so that a thousand failures at once are no thousand files."""
QUIET = 60.0
"""Seconds without work after which nothing is left to do: people drop files one after another."""
AGAIN = 60.0
_LONGEST = 300


class NoticeWriter:
    """Counts the events of the log, and writes what has happened.

    If the daemon is killed just after an event, its notice may be missing. The log has every event.
    """

    def __init__(
        self,
        config: Config,
        files: Files,
        scheduler: Scheduler,
        state: DaemonState,
        disk_errors: DiskErrors,
    ) -> None:
        self._scheduler, self._state, self._disk_errors = scheduler, state, disk_errors
        self._folder = NoticeFolder(config.folder("work") / NOTICES, files)
        self._root = printable(os.fspath(config.root))
        self._failures = self._batches = 0
        self._lines: list[str] = []
        self._has_ended_some = False  # since nothing was left to do
        self._quiet_since: float | None = None
        self._due = 0.0
        self._unlisten = listen(self.note)
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over what notices are written about."""
        self._on = frozenset(config.notify.on)

    def note(self, event: str, line: dict[str, Any]) -> None:
        """Count an event; what a person has cancelled is none."""
        is_failure = event == "job.failed" and line["code"] != "cancelled"
        if event in {"job.finished", "job.failed"}:
            self._has_ended_some = True
        if is_failure and "failure" in self._on:
            self._failures += 1
            message = shortened(line["message"].strip().split("\n")[0], _LONGEST)
            self._add_line(f"failed: {line['output']}: {message} [{line['code']}]")
        if event == "batch.finished" and "batch" in self._on:
            self._batches += 1
            counts = f"{line['finished']} finished, {line['failed']} failed"
            self._add_line(f"batch: {line['output']}: {counts}")

    def _add_line(self, text: str) -> None:
        if len(self._lines) < SHOWN:
            self._lines.append(printable(text))

    def work(self, now: float) -> None:
        """Write a notice, if something has happened and it is time."""
        is_idle = self._is_all_done(now)
        if now >= self._due and (is_idle or self._failures or self._batches):
            self._write(now, is_idle=is_idle)

    def _is_all_done(self, now: float) -> bool:
        """Whether it has to be told that nothing is left to do."""
        if not self._has_ended_some or "idle" not in self._on or self._has_work:
            self._quiet_since = None
            return False
        if self._quiet_since is None:
            self._quiet_since = now
        return now - self._quiet_since >= QUIET

    @property
    def _has_work(self) -> bool:
        return bool(self._scheduler.running) or self._scheduler.has_free or self._state.has_input

    def _write(self, now: float, *, is_idle: bool) -> None:
        notice = Notice(
            root=self._root,
            time=time.time(),
            failures=self._failures,
            batches=self._batches,
            is_idle=is_idle,
            lines=tuple(self._lines),
        )
        self._due = now + EVERY
        try:
            self._folder.add(notice)
        except OSError as error:
            self._disk_errors.log(error, NOTICES)
            self._due = now + AGAIN
            return
        self._failures = self._batches = 0
        self._lines.clear()
        if is_idle:
            self._has_ended_some, self._quiet_since = False, None

    def close(self) -> None:
        """Write what has happened last; a run with `once` that has made all ends here."""
        self._unlisten()
        is_idle = self._has_ended_some and "idle" in self._on and not self._has_work
        if is_idle or self._failures or self._batches:
            self._write(0.0, is_idle=is_idle)

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Always true: `close` writes the rest."""
        return True

    def next_event(self, _now: float) -> float:
        """When the next notice is written."""
        if self._failures or self._batches:
            return self._due
        return float("inf") if self._quiet_since is None else self._quiet_since + QUIET

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()
