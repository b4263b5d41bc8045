"""Has the contact sheet of a batch drawn in a separate process: the daemon reads no pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from nstd.documents.settings import LimitSettings
from nstd.queue.batch import BatchPaths
from nstd.system.child import TimedChild, import_path, python_module
from nstd.system.durable import Files

TIMEOUT = 300.0
"""The time limit for drawing a sheet, in seconds."""
CHECK_INTERVAL = 0.5
"""Seconds between checks of the process, if nothing else wakes the loop."""
Command = Callable[[BatchPaths, Path], Sequence[str]]
"""Makes the command that draws the sheet of a batch into the file at the given path."""


class Sheet:
    """The drawing of one sheet; a sheet that exists is not drawn again."""

    def __init__(self, paths: BatchPaths, files: Files, command: Command) -> None:
        self._paths, self._files, self.reason = paths, files, ""
        self._draft = paths.folder / f".sheet-{os.getpid()}.png"
        self._process: TimedChild | None = None
        self._is_drawn = False
        if paths.sheet.exists():
            return
        try:
            self._process = TimedChild(command(paths, self._draft), import_path(), TIMEOUT)
        except (OSError, ValueError) as error:
            self.reason = f"cannot be started: {error}"

    def is_done(self, now: float) -> bool:
        """Whether the drawing has ended; `reason` then says why there is no sheet, or is empty.

        Raises OSError when the sheet cannot be written to disk; the next call tries again.
        """
        if self._process is not None:
            reason = self._process.check(now)
            if reason is None:
                return False
            self._is_drawn = not reason and self._draft.exists()
            if not self._is_drawn:
                said = self._process.tail.splitlines()[-1:]
                self.reason = ": ".join([reason or "it made no file", *said])
            self._process = None
        if self._is_drawn:
            self._keep()
            self._is_drawn = False
        return True

    def _keep(self) -> None:
        """Give the drawing its name durably; called again, it goes on where an error ended it."""
        if self._draft.exists():
            self._files.sync_and_rename(self._draft, self._paths.sheet)
        elif self._paths.sheet.exists():  # renamed, but the folder was not synced
            self._files.sync_folder(self._paths.folder)
        else:
            self.reason = "the file that was drawn is gone"

    def kill(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def discard(self) -> None:
        """Kill the process, and remove the sheet. Raises OSError."""
        self.kill()
        self._files.unlink(self._draft)
        self._files.unlink(self._paths.sheet)

    def next_check(self, now: float) -> float:
        """When to check the process again."""
        return now if self._process is None else min(now + CHECK_INTERVAL, self._process.deadline)

    @property
    def waitables(self) -> list[int]:
        """Descriptors that become readable when the process ends."""
        return [] if self._process is None else self._process.waitables


def make_command(outbox: Path, limits: LimitSettings) -> Command:
    """The command that draws a sheet from the results in the outbox."""

    def command(paths: BatchPaths, draft: Path) -> Sequence[str]:
        given = (paths.folder, outbox, draft, limits.picture_pixels, limits.picture_bytes)
        return python_module("nstd.outbox.contact_sheet", *given)

    return command
