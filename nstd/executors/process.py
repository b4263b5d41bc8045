"""One worker process with its channel, as seen from the daemon."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from nstd.executors.channel import DaemonEnd

_TAIL = 4000
_MOST_OUTPUT = 8 * 2**20
_LAST_WAIT = 2.0


class WorkerProcess:
    """A spawned `nstd.executors.worker.main`, or another `module`, in a session of its own.

    Its output goes to a file. Raises OSError when it cannot be started.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        output: Path,
        module: str = "nstd.executors.worker.main",
    ) -> None:
        self.began = time.monotonic()
        self.output = output
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        output.unlink(missing_ok=True)
        ours, theirs = socket.socketpair()
        try:
            # appending, so that what is cut off here makes room there
            with theirs, output.open("ab") as sink:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                    env={**os.environ, **environment, "PYTHONPATH": path},
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError:
            ours.close()
            raise
        self.channel = DaemonEnd(ours)

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
            return "still there after SIGKILL: its device needs a look"
        if code >= 0:
            return f"exit status {code}"
        with suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
        return f"signal {-code}"

    def tell_where(self) -> None:
        """Have it print where each of its threads stands."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGUSR1)

    def forget_output(self) -> None:
        """Begin its output anew."""
        with suppress(OSError):
            os.truncate(self.output, 0)

    def limit_output(self) -> None:
        """Keep a process that prints without end from filling the disk."""
        with suppress(OSError):
            if self.output.stat().st_size > _MOST_OUTPUT:
                self.forget_output()

    def tail(self) -> str:
        """The end of what it printed, for a person who wonders why it died."""
        with suppress(OSError), self.output.open("rb") as file:
            file.seek(max(0, self.output.stat().st_size - _TAIL))
            return file.read().decode(errors="replace")
        return ""

    def kill(self) -> None:
        """End it at once and for good, with all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_LAST_WAIT)
        self.channel.close()
