"""Child processes: workers, probes, contact sheets and the commands of hooks.

Each has a session of its own, so that a terminal's ^C does not reach it and it can be ended with
all that it has started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_LAST_WAIT = 2.0
"""Seconds that a killed process has to be gone: the kernel may hold it at a device or a disk."""
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


def python_module(module: str, *arguments: object) -> list[str]:
    """The command that runs a module with this Python."""
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def import_path() -> dict[str, str]:
    """The part of an environment with which a child imports from where this process does."""
    return {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it is gone."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A running process; `output` takes what it prints. Raises OSError when it cannot start."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        output: int | IO[bytes] = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=pass_fds,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; a negative number is the signal that ended it."""
        return self._process.poll()

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        code = self.exit_code
        if code is None:
            return "still there after SIGKILL: its device or disk needs a look"
        if code >= 0:
            return f"exit status {code}"
        with suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
        return f"ended by signal {-code}"

    @property
    def seconds(self) -> float:
        """For how long it has run."""
        return round(time.monotonic() - self.began, 3)

    def kill(self) -> None:
        """End it at once and for good, with all that it started in its session's group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_LAST_WAIT)


class TimedChild(Child):
    """A process with a bound on its time, of which the end of what it prints is kept."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], timeout: float
    ) -> None:
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCH, *command]
        super().__init__(launch, environment, output=subprocess.PIPE)
        self.timeout = timeout
        self._tail = b""
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._pidfd = _pidfd(self.pid)

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
        code = self.exit_code
        if code is None and now < self.deadline:
            return None
        if code is None:
            self.kill()
            return f"not done after {self.timeout:g} s; it was killed"
        self._read()
        self._close()
        return self.ending if code else ""

    def kill(self) -> None:
        """End it at once, and keep the last that it printed."""
        super().kill()
        self._read()
        self._close()

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
