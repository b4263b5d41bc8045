"""As process 1 of a container: the daemon goes on in a child, and process 1 is its init.

The kernel hands every orphan to process 1, and one that nobody waits for stays as a zombie until
there is no process left to be had. The daemon cannot do that itself: it would take the exit status
of its own workers from those who wait for it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


def continue_in_child() -> None:
    """Where this is process 1, return in a new child, and in no other process; else do nothing."""
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
    """Hand on signals and wait for whoever ends, until the child does; its exit status."""

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
