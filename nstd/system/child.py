"""Child processes: workers, probes, contact sheets and the commands of hooks.

Each has a session of its own, so that a terminal's ^C does not reach it, and it can be killed
together with the processes that it has started.
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
"""Seconds to wait for a killed process to end: the kernel may still wait for a device or a disk."""
_LAUNCH = """
import os, sys
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(f"{sys.argv[1]} cannot be run: {error.strerror}")
"""
"""Executes its arguments in the child process. Starting a command waits until its file is opened,
which can hang on a network share; so the child starts as Python and then executes the command."""
_TAIL = 1000
_CHUNK = 65536


def python_module(module: str, *arguments: object) -> list[str]:
    """The command that runs a module with this Python."""
    return [sys.executable, "-P", "-m", module, *map(str, arguments)]


def import_path() -> dict[str, str]:
    """The environment variables with which a child imports modules from the same places."""
    return {"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}


def answer_of(command: Sequence[str], seconds: float) -> str:
    """What a program prints; "" if it is absent, fails, or does not answer in so many seconds."""
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return answer.stdout


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A running process that prints to `output`. Raises OSError when it cannot start."""

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
        """The exit code; None while it runs; a negative number is the signal that ended it."""
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
        """The seconds since its start."""
        return round(time.monotonic() - self.began, 3)

    def kill(self) -> None:
        """Kill it, and every process that it started in its process group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_LAST_WAIT)


class TimedChild(Child):
    """A process with a time limit; the end of its output is kept."""

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
        """The time at which its time limit is reached."""
        return self.began + self.timeout

    @property
    def waitables(self) -> list[int]:
        """Descriptors that become readable when it ends, if the kernel supports that."""
        return [] if self._pidfd is None else [self._pidfd]

    def check(self, now: float) -> str | None:
        """None while it runs, else why it failed, or an empty string. Kills it after its time
        limit."""
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
        """Kill it, and keep the end of its output."""
        super().kill()
        self._read()
        self._close()

    @property
    def tail(self) -> str:
        """The end of its output."""
        return self._tail.decode(errors="replace").strip()

    def _read(self) -> None:
        """Read one chunk of its output; only one, because the process may print without end."""
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
