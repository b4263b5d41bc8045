"""The worker: a process that runs one attempt at a time, started by `nstd.executors.local`.

Its device is pinned by its environment before this module, and so torch, is imported. It speaks
JSON over one pipe: assignments, `cancel` and `stop` come in; `ready`, reports and outcomes go
out. It dies with the daemon: at the end of the pipe, or by the kernel's parent-death signal.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection

from nstd.attempt import Attempt
from nstd.backend import Backend
from nstd.executor import Assignment, Report
from nstd.files import Files
from nstd.plugins import load

_PR_SET_PDEATHSIG = 1


class Worker:
    """Serves assignments until the pipe ends."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._wanted: str | None = None  # "cancel" or "stop", for the running attempt
        self._assignments: list[Assignment] = []
        self._arrived = threading.Condition()
        self._backends: dict[str, Backend] = {}

    def run(self) -> None:
        """Serve for ever; `_listen` ends the process when the daemon is gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        self.send({"ready": os.getpid()})
        while True:
            with self._arrived:
                self._arrived.wait_for(lambda: self._assignments)
                assignment = self._assignments.pop(0)
            attempt = Attempt(assignment, Files(), self.report, lambda: self._wanted)
            outcome = attempt.run(self._backend)
            self.send({"outcome": outcome.model_dump()})

    def _backend(self, name: str) -> Backend:
        """The backend `name`, loaded once: an instance may keep its networks warm."""
        if name not in self._backends:
            self._backends[name] = load(name)
        return self._backends[name]

    def report(self, report: Report) -> None:
        """Pass a report on to the daemon."""
        self.send({"report": report.model_dump()})

    def send(self, message: dict[str, object]) -> None:
        """Write one message to the pipe."""
        with self._sending:
            self._pipe.send_bytes(json.dumps(message).encode())

    def _listen(self) -> None:
        while True:
            try:
                message = json.loads(self._pipe.recv_bytes())
            except (EOFError, OSError):
                os._exit(0)  # the daemon is gone, and with it the right to touch the job
            if "assignment" in message:
                with self._arrived:
                    self._wanted = None
                    self._assignments.append(Assignment.model_validate(message["assignment"]))
                    self._arrived.notify()
            else:
                self._wanted = message["wanted"]


def main() -> None:
    """`python -m nstd.worker FD`: serve the pipe whose descriptor is given."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's ^C is for the daemon
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    fd = int(sys.argv[1])
    os.set_inheritable(fd, False)
    Worker(Connection(fd)).run()


if __name__ == "__main__":
    main()
