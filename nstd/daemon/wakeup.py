"""What wakes the daemon: signals, and a pipe that any thread may write to."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from contextlib import suppress
from types import FrameType


class WakePipe:
    """A pipe: the daemon sleeps until its reading end is readable."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._out

    def wake(self) -> None:
        """Wake the daemon; if it is awake, its next sleep ends at once. Safe from any thread."""
        with suppress(BlockingIOError, OSError):  # full: the daemon wakes anyway
            os.write(self._in, b"!")

    def clear(self) -> bool:
        """Empty the pipe; whether `wake` was called since the last `clear`."""
        rang = False
        with suppress(BlockingIOError):
            while os.read(self._out, 4096):
                rang = True
        return rang

    def on_signals(self) -> None:
        """Wake the daemon for every signal that has a handler."""
        signal.set_wakeup_fd(self._in, warn_on_full_buffer=False)

    def close(self) -> None:
        """Close the descriptors."""
        with suppress(ValueError):
            signal.set_wakeup_fd(-1)
        os.close(self._in)
        os.close(self._out)


HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


_held: deque[signal.Signals] = deque()


def hold_sighup() -> None:
    """Keep the SIGHUPs that arrive before the loop can handle them.

    The default action of SIGHUP would end the process.
    """
    signal.signal(signal.SIGHUP, lambda number, _: _held.append(signal.Signals(number)))


class Signals:
    """Signals that have arrived and are not handled yet."""

    def __init__(self, wake: WakePipe) -> None:
        self._arrived: deque[signal.Signals] = deque()
        self._before: dict[int, object] = {}
        if threading.current_thread() is threading.main_thread():  # else: embedded, as in a test
            for number in HANDLED:
                self._before[number] = signal.signal(number, self._note)
            wake.on_signals()
            while _held:
                self._arrived.append(_held.popleft())
                wake.wake()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._arrived.append(signal.Signals(number))

    def take(self) -> list[signal.Signals]:
        """The signals since the last call, in order."""
        taken = []
        while self._arrived:
            taken.append(self._arrived.popleft())
        return taken

    def restore(self) -> None:
        """Put back the handlers that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
