"""Runs attempts in this very process, one after the other: for tests and for debugging.

It imports torch here, and nothing outlives a crash; the daemon warns when it is configured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nstd.backends.registry import load
from nstd.documents.config import Config
from nstd.executors.contract import Assignment, Begun, Event
from nstd.executors.devices import make_slots, resolve
from nstd.executors.worker.attempt import Attempt
from nstd.queue.job import Job
from nstd.queue.slots import Slot
from nstd.system.durable import Files


class InlineExecutor:
    """An executor without processes; `start` returns when the attempt is over."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._events: list[Event] = []
        self._slots = make_slots(resolve(config.devices), config.slots)

    def open(self) -> None:
        """Nothing to get ready."""

    def slots(self) -> Sequence[Slot]:
        """Those of this machine, though one attempt runs at a time."""
        return self._slots

    def trouble(self) -> str:
        """There are always slots."""
        return ""

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Run the whole attempt."""
        assignment = Assignment.of(job, folder, slot, slot.device, self._config)
        attempt = Attempt(assignment, Files(), self._events.append, lambda: None)
        self._events.append(Begun(job=job.id))
        self._events.append(attempt.run(load))

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """Too late: the attempt is over."""

    def stop(self, job_id: str) -> None:
        """Too late: the attempt is over."""

    def events(self) -> Iterable[Event]:
        """What the attempts reported."""
        events, self._events = self._events, []
        return events

    def waitables(self) -> Sequence[Any]:
        """Nothing happens while nobody calls."""
        return []

    def configure(self, config: Config) -> None:
        """New settings count from the next attempt on."""
        self._config = config

    def close(self) -> None:
        """Nothing is left to end."""
