"""Log lines on standard error, written by a thread, so that a slow reader does not block us."""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress

STDERR = 2
_LINES = 2000
_PATIENCE = 2.0


class Console:
    """Writes directly to the descriptor: a thread that blocks in `sys.stderr` would hold its lock
    and so prevent the end of the process."""

    def __init__(self, fd: int = STDERR) -> None:
        self._fd = fd
        self._lines: queue.Queue[bytes | None] = queue.Queue(_LINES)
        self._thread = threading.Thread(target=self._work, name="console", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue one line, or drop it when too many lines wait."""
        with suppress(queue.Full):
            self._lines.put_nowait(line.encode(errors="backslashreplace") + b"\n")

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            with suppress(OSError):  # there is no reader
                while line:
                    line = line[os.write(self._fd, line) :]

    def close(self) -> None:
        """Write the waiting lines, for at most two seconds."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=_PATIENCE)
            self._thread.join(_PATIENCE)
