"""One command of the config, run for one job that has ended: no shell, and a bound on its time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

_LAUNCH = """
import os, sys
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(f"{sys.argv[1]} cannot be run: {error.strerror}")
"""
"""Executes its arguments in the child. We would wait for the command's own file to be opened, and
a share that hangs would hold us up; for Python's we need not."""
_TAIL = 1000
_CHUNK = 65536
_LAST_WAIT = 0.5


class Child:
    """A process in a session of its own. Raises OSError when it cannot be started."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], timeout: float
    ) -> None:
        self.command, self.timeout = command, timeout
        self.job = environment["NSTD_JOB"]
        self.began = time.monotonic()
        self._tail = b""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCH, *command],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._pidfd = _pidfd(self._process.pid)

    @property
    def deadline(self) -> float:
        """When its time is over."""
        return self.began + self.timeout

    @property
    def waitables(self) -> list[int]:
        """What becomes ready when it ends, where the kernel can tell."""
        return [] if self._pidfd is None else [self._pidfd]

    def look(self, now: float) -> str | None:
        """None while it runs, else why it failed, or nothing. Ends it when its time is over."""
        self._read()
        code = self._process.poll()
        if code is None and now < self.deadline:
            return None
        if code is None:
            self.kill()
            return f"not done after {self.timeout:g} s; it was killed"
        self._read()
        self._close()
        if code < 0:
            with suppress(ValueError):
                return f"ended by {signal.Signals(-code).name}"
        return f"exit status {code}" if code else ""

    def kill(self) -> None:
        """End it at once, with all that it started in its session's group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_LAST_WAIT)
        self._read()
        self._close()

    @property
    def seconds(self) -> float:
        """For how long it has run."""
        return round(time.monotonic() - self.began, 3)

    @property
    def tail(self) -> str:
        """The end of what it printed."""
        return self._tail.decode(errors="replace").strip()

    def _read(self) -> None:
        """Take what it has printed: a chunk, so that one who prints without end gets no more."""
        with suppress(OSError, ValueError):
            if data := self._output.read(_CHUNK):
                self._tail = (self._tail + data)[-_TAIL:]

    def _close(self) -> None:
        self._output.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox that forbids it
        return None
