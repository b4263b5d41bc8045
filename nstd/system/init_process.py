"""In a container, where nstd is process 1: continue in a child, and be the init process.

The kernel makes process 1 the parent of every orphan. An orphan whose parent does not wait for it
stays a zombie, and zombies use up the limit on processes. The daemon cannot wait for all children
itself: it would take the exit status of its own workers from the code that waits for them.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


def continue_in_child() -> None:
    """If this is process 1, return only in a new child process; else do nothing."""
    if os.getpid() == 1:
        _fork()


def _fork() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    child = os.fork()
    if child:
        os._exit(_run_as_init(child))
    os.setsid()  # a terminal's ^C would reach it twice
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)


def _run_as_init(child: int) -> int:
    """Forward signals and wait for all processes, until `child` ends; returns its exit status."""

    def forward(number: int, _frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
