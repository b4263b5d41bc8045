"""Log lines on standard error, written by a thread: a reader that stalls stops nobody."""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress

STDERR = 2
_LINES = 2000
_PATIENCE = 2.0


class Console:
    """Writes to the descriptor itself: a thread stuck in `sys.stderr` would hold its lock, and
    with it the end of the process."""

    def __init__(self, fd: int = STDERR) -> None:
        self._fd = fd
        self._lines: queue.Queue[bytes | None] = queue.Queue(_LINES)
        self._thread = threading.Thread(target=self._work, name="console", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Have one line written, or drop it when too many wait already."""
        with suppress(queue.Full):
            self._lines.put_nowait(line.encode(errors="backslashreplace") + b"\n")

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            with suppress(OSError):  # nobody reads any more, or nobody ever did
                while line:
                    line = line[os.write(self._fd, line) :]

    def close(self) -> None:
        """Write what waits, as far as somebody reads it within two seconds."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=_PATIENCE)
            self._thread.join(_PATIENCE)
