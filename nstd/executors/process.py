"""One worker process with its pipe, as seen from the daemon."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_TAIL = 2000


class WorkerProcess:
    """A spawned `nstd.worker` in a session of its own, with its output in a file."""

    def __init__(self, environment: Mapping[str, str], output: Path) -> None:
        self.began = time.monotonic()
        self.output = output
        self.is_deaf = False  # the pipe has ended: it is dead, or as good as dead
        ours, theirs = socket.socketpair()
        with ours, theirs, output.open("wb") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nstd.worker", str(theirs.fileno())],
                env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            self.pipe = Connection(ours.detach())

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
        code = self._process.poll()
        if code is None:
            return "still there after SIGKILL: its device needs a look"
        if code >= 0:
            return f"exit status {code}"
        with suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
        return f"signal {-code}"

    def send(self, message: dict[str, Any]) -> None:
        """Write one message; a worker that is gone is noticed elsewhere."""
        with suppress(OSError):
            self.pipe.send_bytes(json.dumps(message).encode())

    def messages(self) -> Iterator[dict[str, Any]]:
        """Messages that have come; never blocks for long. The end of the pipe is noted."""
        try:
            while self.pipe.poll():
                yield json.loads(self.pipe.recv_bytes())
        except (EOFError, OSError):
            self.is_deaf = True

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
            self._process.wait(timeout=2)
        self.pipe.close()
