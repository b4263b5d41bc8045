"""The worker: a process that runs one attempt at a time, started by `nstd.executors.local`.

Environment variables pin its device before this module, and so torch, is imported. It receives
assignments, `cancel` and `stop` over its socket, and sends `ready`, `begun`, reports and outcomes.
It ends with the daemon: when the socket is closed, or by the kernel's parent-death signal.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import socket
import sys
import threading
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from nstd.backends.registry import load
from nstd.executors.channel import WorkerEnd
from nstd.executors.contract import Assignment, Begun
from nstd.executors.messages import TO_WORKER, Assign, Ended, Reported, ToWorker, WorkerReady
from nstd.executors.worker.attempts import make_attempt
from nstd.executors.worker.output import attributed
from nstd.queue.progress import Report
from nstd.system.child import die_with_parent
from nstd.system.durable import Files

_OOM_SCORE = "500"
"""When memory runs out, the kernel should kill a worker instead of the daemon."""


class Worker:
    """Serves assignments until the daemon is gone."""

    def __init__(self, channel: WorkerEnd[ToWorker]) -> None:
        self._channel = channel
        self._assignments: queue.SimpleQueue[Assignment] = queue.SimpleQueue()
        self._end_requested: tuple[str, str] | None = None  # a job, and "cancel" or "stop"
        self._backend = cache(load)  # an instance may keep its networks loaded

    def run(self) -> None:
        """Serve assignments for ever; `_listen` ends the process when the daemon is gone."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._channel.send(WorkerReady(pid=os.getpid()))
        while True:
            assignment = self._assignments.get()
            self._channel.send(Begun(job=assignment.job.id))  # from now on the attempt counts
            end_request = partial(self._end_request_for, assignment.job.id)
            attempt = make_attempt(assignment, Files(), self._report, end_request)
            with attributed(assignment):
                outcome = attempt.run(self._backend)
            self._channel.send(Ended(outcome=outcome))

    def _end_request_for(self, job: str) -> str | None:
        """`cancel` or `stop` when the running attempt of `job` is to end; else None."""
        request = self._end_requested
        return request[1] if request is not None and request[0] == job else None

    def _report(self, report: Report) -> None:
        self._channel.send(Reported(report=report))

    def _listen(self) -> None:
        """Handle the daemon's messages. A new assignment clears an earlier request to end."""
        for message in self._channel.messages():
            if isinstance(message, Assign):
                self._end_requested = None
                self._assignments.put(message.assignment)
            else:
                self._end_requested = message.job, message.how
        os._exit(0)  # the daemon is gone: the job must not be changed any more


def main() -> None:
    """`python -m nstd.executors.worker.main FD`: serve the socket with the descriptor FD."""
    die_with_parent()
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, chain=False)  # to see where it hangs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's ^C is for the daemon
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    os.register_at_fork(after_in_child=lambda: _close_in_child(end.fileno()))
    Worker(WorkerEnd(end, TO_WORKER)).run()


def _close_in_child(descriptor: int) -> None:
    """In a forked child process of a backend: close our socket, so that it cannot use it."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor, inheritable=False)
    os.close(null)


if __name__ == "__main__":
    main()
