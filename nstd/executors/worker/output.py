"""The output printed during an attempt: each line begins with the time, the job and the slot.

Backends, libraries, warnings and tracebacks print to the standard streams. In a worker both go to
one file, whose end is kept when the worker dies.
"""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import cache

from nstd.executors.contract import Assignment

_STDERR = 2
_LONGEST = 2**16
"""The most characters of a line; a longer line is split."""


class AttemptOutput(io.TextIOBase):
    """A text stream that prints each line with the job and slot of the running attempt.

    A process has only one, so that a library may keep it from one attempt to the next.
    """

    def __init__(self) -> None:
        self._file = open(  # noqa: SIM115 - a descriptor, which lasts as we do
            _STDERR, "w", encoding="utf-8", errors="backslashreplace", closefd=False
        )
        self._about: tuple[str, ...] = ()
        self._rest = ""
        self._lock = threading.RLock()

    @contextmanager
    def bound(self, *about: str) -> Iterator[None]:
        """Print `about` before each line while the attempt lasts, for all threads."""
        self._about = about
        try:
            yield
        finally:
            self.flush()
            self._about = ()

    def write(self, text: str) -> int:
        """Print the lines that are complete; `\\r` also ends a line."""
        with self._lock:
            *lines, self._rest = re.split(r"[\r\n]+", self._rest + text)
            for line in lines:
                self._print(line)
            if len(self._rest) > _LONGEST:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Print the incomplete line."""
        with self._lock:
            rest, self._rest = self._rest, ""
            self._print(rest)

    def _print(self, line: str) -> None:
        if line:
            head = " ".join([time.strftime("%H:%M:%S"), *self._about])
            with suppress(OSError):  # on a full disk the line is lost, not the job
                print(f"{head}  {line}", file=self._file, flush=True)

    def writable(self) -> bool:
        """Always true."""
        return True

    def fileno(self) -> int:
        """The descriptor, for child processes and crash handlers, which print directly."""
        return _STDERR


_output = cache(AttemptOutput)


@contextmanager
def attributed(assignment: Assignment) -> Iterator[None]:
    """Lines printed inside this context begin with the job and the slot of the assignment."""
    output = _output()
    with (
        output.bound(assignment.job.id, assignment.slot),
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        yield
