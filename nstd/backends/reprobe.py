"""Probes backends again that cannot be used for a cause that may be temporary."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

from nstd.backends.discovery import Plugin
from nstd.backends.probe import ProbeResult
from nstd.system.backoff import backoff

FIRST_WAIT, LONGEST_WAIT = 5.0, 600.0
"""Seconds until the next probe of a backend: the first wait, which doubles each time, and the
longest."""


@dataclass
class Wait:
    """The time of the next probe of a backend, after `tries` probes."""

    due: float
    tries: int = 0
    is_probing: bool = False


class Reprobes:
    """Probes one backend at a time in a thread, so that the caller does not wait."""

    def __init__(
        self,
        probe: Callable[[Plugin], ProbeResult],
        keep: Callable[[Plugin, ProbeResult], None],
    ) -> None:
        """`keep` is called, in the thread, with each result of `probe`."""
        self._probe, self._keep = probe, keep
        self._waits: dict[str, Wait] = {}

    def request(self, plugin: Plugin) -> None:
        """Probe the backend in a thread, if it is time for that."""
        now = time.monotonic()
        wait = self._waits.setdefault(plugin.name, Wait(now + FIRST_WAIT))
        if wait.is_probing or now < wait.due:
            return
        wait.is_probing = True
        with suppress(RuntimeError):  # no thread could be started: later perhaps
            Thread(target=self._run, args=(plugin, wait), daemon=True).start()
            return
        self._postpone(wait)

    def forget(self) -> None:
        """Start again with the first wait."""
        self._waits = {}

    def _run(self, plugin: Plugin, wait: Wait) -> None:
        health = self._probe(plugin)
        self._postpone(wait)
        if not health.may_pass:
            self._waits.pop(plugin.name, None)
        self._keep(plugin, health)

    @staticmethod
    def _postpone(wait: Wait) -> None:
        wait.tries += 1
        wait.due = time.monotonic() + backoff(wait.tries + 1, FIRST_WAIT, LONGEST_WAIT)
        wait.is_probing = False
