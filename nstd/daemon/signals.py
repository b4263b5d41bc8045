"""Signals only set a flag and end the sleep; the loop does the rest."""

from __future__ import annotations

import signal
import threading
from collections import deque
from types import FrameType

from nstd.daemon.wake import Wake

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Signals that came and were not yet taken."""

    def __init__(self, wake: Wake) -> None:
        self._arrived: deque[signal.Signals] = deque()
        self._before: dict[int, object] = {}
        if threading.current_thread() is threading.main_thread():  # else: embedded, as in a test
            for number in HANDLED:
                self._before[number] = signal.signal(number, self._note)
            wake.on_signals()

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
