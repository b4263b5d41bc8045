"""Runs attempts in the daemon's own process, one after the other: for tests and for debugging.

It imports torch into this process, and a crash of an attempt ends the daemon; the daemon logs a
warning when this executor is configured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nstd.backends.registry import load
from nstd.documents.config import Config
from nstd.executors.contract import Assignment, Begun, Event
from nstd.executors.devices import make_slots, resolve
from nstd.executors.worker.attempts import make_attempt
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
        """Nothing to start."""

    def slots(self) -> Sequence[Slot]:
        """The slots of this machine, although only one attempt runs at a time."""
        return self._slots

    def why_no_slots(self) -> str:
        """Always empty: there are always slots."""
        return ""

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Run the whole attempt."""
        assignment = Assignment.of(job, folder, slot, slot.device, self._config)
        attempt = make_attempt(assignment, Files(), self._events.append, lambda: None)
        self._events.append(Begun(job=job.id))
        self._events.append(attempt.run(load))

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """Too late: the attempt is over."""

    def stop(self, job_id: str) -> None:
        """Too late: the attempt is over."""

    def events(self) -> Iterable[Event]:
        """The events of the attempts since the last call."""
        events, self._events = self._events, []
        return events

    def waitables(self) -> Sequence[Any]:
        """Nothing to wait on: nothing happens between calls."""
        return []

    def configure(self, config: Config) -> None:
        """Take over new settings for the next attempts."""
        self._config = config

    def close(self) -> None:
        """Nothing to stop."""
