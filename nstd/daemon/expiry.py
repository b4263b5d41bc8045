"""Lets what is too old go from the outbox, at a calm pace and in a process of its own."""

from __future__ import annotations

import json
import os
import tempfile
import time
from typing import IO, Any

from nstd.documents.config import Config
from nstd.errors import printable
from nstd.logs.log import emit
from nstd.system.child import Child, import_path, python_module
from nstd.system.units import format_duration
from nstd.system.waits import USUAL, Waits

PACE = 0.2
"""Seconds between two results that go."""
LIMIT = 6 * 3600.0
"""Seconds after which a sweep that does not end is killed: a share may not answer."""
CHECK = 1.0
"""Seconds between two looks at a sweep."""
_SWEEPS = 6
"""The time between two sweeps, as a multiple of that before the first."""
_TAIL = 300
_DAY = 86400.0
_JUMP = 3600.0


class Expiry:
    """A sweep of the outbox every hour, if the config has a limit."""

    def __init__(self, config: Config, waits: Waits = USUAL) -> None:
        self._wait, self._due = waits.expire, time.monotonic() + waits.expire
        self._offset = time.time() - time.monotonic()
        self._child: Child | None = None
        self._output: IO[bytes] | None = None
        self._rest = b""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over new settings; a sweep in progress ends with the old ones."""
        self._is_on = config.retention.is_on
        retention = config.retention.model_copy(update={"move_to": config.move_to})
        self._settings: dict[str, Any] = {
            "outbox": os.fspath(config.folder("outbox")),
            "work": os.fspath(config.folder("work")),
            "retention": retention.model_dump(mode="json"),
            "pace": PACE,
        }

    def work(self, now: float) -> None:
        """Start a sweep when it is time, and log what it has taken out. Raises OSError."""
        if self._child is not None:
            self._read()
            code = self._child.exit_code
            if code is None and self._child.seconds < LIMIT:
                return
            self._end(code)
            self._due = now + _SWEEPS * self._wait
        elif self._is_on and now >= self._due:
            self._due = now + self._wait
            if not self._has_jumped(now):
                self._start()

    def _has_jumped(self, now: float) -> bool:
        """Whether the wall clock was set since the last look: then nothing goes for a day, as all
        may seem too old by mistake."""
        before, self._offset = self._offset, time.time() - now
        jump = round(self._offset - before)
        if abs(jump) < _JUMP:
            return False
        self._due = now + _DAY
        said = f"the clock was set by {format_duration(abs(jump))}; nothing goes for a day"
        emit("expiry.failed", reason=said)
        return True

    def _start(self) -> None:
        self._output, self._rest = tempfile.TemporaryFile(), b""  # noqa: SIM115 - kept open
        command = python_module("nstd.outbox.expiry.main", json.dumps(self._settings))
        self._child = Child(command, import_path(), output=self._output)
        self._at = 0

    def _read(self) -> None:
        """Log each unit that is gone; a line that is not one of these is kept as an error."""
        assert self._output is not None
        descriptor = self._output.fileno()
        while data := os.pread(descriptor, 1 << 16, self._at):
            self._at += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._log(line)

    def _log(self, line: bytes) -> None:
        try:
            unit = json.loads(line)
            path, kind, size = printable(unit["path"]), str(unit["kind"]), int(unit["bytes"])
        except (ValueError, LookupError, TypeError):
            self._rest = line
        else:
            emit("outbox.expired", path=path, kind=kind, bytes=size, **self._moved())

    def _moved(self) -> dict[str, str]:
        target = self._settings["retention"]["move_to"]
        return {"moved_to": printable(target)} if target else {}

    def _end(self, code: int | None) -> None:
        assert self._child is not None and self._output is not None
        self._read()
        if code is None:
            self._child.kill()
        if code != 0:
            said = self._rest.decode(errors="replace").strip()[-_TAIL:]
            reason = said or ("it took too long" if code is None else self._child.ending)
            emit("expiry.failed", reason=printable(reason))
        self._output.close()
        self._child = self._output = None

    # What the loop needs to know

    @property
    def is_idle(self) -> bool:
        """Always true: a run with `once` does not wait for it."""
        return True

    def next_event(self, now: float) -> float:
        """When to look at a sweep, or to start one."""
        if self._child is not None:
            return now + CHECK
        return self._due if self._is_on else float("inf")

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()

    def close(self) -> None:
        """Kill a sweep: what it was about to take out is whole in the one place or the other."""
        if self._child is not None and self._output is not None:
            self._child.kill()
            self._read()
            self._output.close()
            self._child = self._output = None
