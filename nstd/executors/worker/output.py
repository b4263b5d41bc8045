"""What is printed during an attempt: each line begins with the time, the job and the slot.

Backends, libraries, warnings and tracebacks print to the standard streams. In a worker both go to
one file, of which the end is kept when the worker dies.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import cache

import structlog
from structlog.processors import TimeStamper
from structlog.typing import EventDict, WrappedLogger

from nstd.executors.contract import Assignment

_STDERR = 2
_LONGEST = 2**16
"""Characters without an end of line, after which the line is cut."""


class AttemptOutput(io.TextIOBase):
    """A text stream that logs each line, with what is bound for the attempt that runs.

    A process has one: what a library has kept of it in one attempt is right in the next.
    """

    def __init__(self) -> None:
        self._file = open(  # noqa: SIM115 - a descriptor, which lasts as we do
            _STDERR, "w", encoding="utf-8", errors="backslashreplace", closefd=False
        )
        self._unbound = self._log = structlog.wrap_logger(
            structlog.PrintLogger(self._file),
            processors=[TimeStamper(fmt="%H:%M:%S", utc=False), _line_of],
        )
        self._rest = ""
        self._lock = threading.RLock()

    @contextmanager
    def bound(self, **about: str) -> Iterator[None]:
        """Bind `about` for as long as the attempt lasts, whichever thread prints."""
        self._log = self._unbound.bind(**about)
        try:
            yield
        finally:
            self.flush()
            self._log = self._unbound

    def write(self, text: str) -> int:
        """Log the lines that are whole now; one that a `\\r` ends is one as well."""
        with self._lock:
            *lines, self._rest = re.split(r"[\r\n]+", self._rest + text)
            for line in lines:
                self._print(line)
            if len(self._rest) > _LONGEST:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Log what has not ended yet."""
        with self._lock:
            rest, self._rest = self._rest, ""
            self._print(rest)

    def _print(self, line: str) -> None:
        with suppress(OSError):  # a full disk costs the line, not the job
            if line:
                self._log.info(line)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """For child processes and crash handlers, which print without us."""
        return _STDERR


_output = cache(AttemptOutput)


@contextmanager
def attributed(assignment: Assignment) -> Iterator[None]:
    """What is printed meanwhile bears the job and the slot of the assignment."""
    output = _output()
    with (
        output.bound(job=assignment.job.id, slot=assignment.slot),
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        yield


def _line_of(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    head = [line[name] for name in ("timestamp", "job", "slot") if name in line]
    return f"{' '.join(head)}  {line['event']}"
