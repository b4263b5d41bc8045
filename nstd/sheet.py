"""Has the contact sheet of a batch drawn, in a process of its own: we handle no pictures here."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nstd.batch import BatchPaths
from nstd.hook import Hook
from nstd.settings import Limits

TIMEOUT = 300.0
"""Seconds after which a sheet that is not drawn is given up."""
LOOK = 0.5
"""How often the process is looked at, if nothing else wakes the loop."""


class Sheet:
    """One sheet on its way; one that is there already is not drawn again."""

    def __init__(self, paths: BatchPaths, arguments: Sequence[str], timeout: float) -> None:
        self._paths, self.reason = paths, ""
        self._process: Hook | None = None
        if paths.sheet.exists():
            return
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        environment = {"NSTD_JOB": paths.folder.name, "PYTHONPATH": path}
        try:
            self._process = Hook(arguments, environment, timeout)
        except (OSError, ValueError) as error:
            self.reason = f"cannot be started: {error}"

    def is_done(self, now: float) -> bool:
        """Whether nothing more will come; `reason` then says why there is no sheet, or nothing."""
        if self._process is None:
            return True
        reason = self._process.look(now)
        if reason is None:
            return False
        if reason or not self._paths.sheet.exists():
            self.reason = f"{reason or 'it made no file'}: {self._process.tail[-300:]}".rstrip(": ")
        self._process = None
        return True

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def next_look(self, now: float) -> float:
        """When it is to be looked at again."""
        return now if self._process is None else min(now + LOOK, self._process.deadline)

    @property
    def waitables(self) -> list[int]:
        """What becomes ready when the process ends."""
        return [] if self._process is None else self._process.waitables


def draw_sheet(paths: BatchPaths, outbox: Path, limits: Limits) -> Sheet:
    """Draw the sheet of the batch in its folder, from the results in the outbox."""
    module = [sys.executable, "-P", "-m", "nstd.contact"]
    given = [str(limits.picture_pixels), str(limits.picture_bytes)]
    return Sheet(paths, [*module, str(paths.folder), str(outbox), *given], TIMEOUT)
