"""Log lines on standard error, written by a thread, so that a slow reader does not block us."""

from __future__ import annotations

import os
import queue
import select
import threading
from contextlib import suppress

STDERR = 2
_LINES = 2000
_PATIENCE = 2.0


class Console:
    """Writes directly to the descriptor: a thread that blocks in `sys.stderr` would hold its lock
    and so prevent the end of the process.

    Where the system gives no thread, what would block waits until it does.
    """

    def __init__(self, fd: int = STDERR) -> None:
        self._fd = fd
        self._lines: queue.Queue[bytes | None] = queue.Queue(_LINES)
        self._thread: threading.Thread | None = None
        self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="console", daemon=True)
        with suppress(RuntimeError):  # no thread to be had
            thread.start()
            self._thread = thread

    def write(self, line: str) -> None:
        """Queue one line, or drop it when too many lines wait."""
        with suppress(queue.Full):
            self._lines.put_nowait(line.encode(errors="backslashreplace") + b"\n")
        if self._thread is None:
            self._start()
        if self._thread is None:
            self._write_what_does_not_block()

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            with suppress(OSError):  # there is no reader
                while line:
                    line = line[os.write(self._fd, line) :]

    def close(self) -> None:
        """Write the waiting lines, for at most two seconds."""
        if self._thread is None:
            self._write_what_does_not_block()
            return
        with suppress(queue.Full):
            self._lines.put(None, timeout=_PATIENCE)
            self._thread.join(_PATIENCE)

    def _write_what_does_not_block(self) -> None:
        with suppress(OSError, queue.Empty):
            while select.select([], [self._fd], [], 0)[1]:
                os.write(self._fd, self._lines.get_nowait() or b"")
