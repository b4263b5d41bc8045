"""A bell that ends the daemon's sleep: rung by the watcher's thread and by signals."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


class Wake:
    """A pipe; the daemon waits for its end to become readable."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._out

    def ring(self) -> None:
        """End the sleep, or the next one; from any thread."""
        with suppress(BlockingIOError, OSError):  # full: it rings already
            os.write(self._in, b"!")

    def clear(self) -> bool:
        """Whether it rang since the last call."""
        rang = False
        with suppress(BlockingIOError):
            while os.read(self._out, 4096):
                rang = True
        return rang

    def on_signals(self) -> None:
        """Ring for every signal that has a handler."""
        signal.set_wakeup_fd(self._in, warn_on_full_buffer=False)

    def close(self) -> None:
        """Give the descriptors back."""
        with suppress(ValueError):
            signal.set_wakeup_fd(-1)
        os.close(self._in)
        os.close(self._out)
