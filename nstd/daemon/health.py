"""What the daemon leaves on disk for `nstd status`: its health and the progress of its jobs."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nstd import __version__
from nstd.executors.contract import Report
from nstd.queue.outlook import Outlook
from nstd.queue.paths import JobPaths
from nstd.queue.scheduler import Scheduler
from nstd.system.durable import Files


class HealthFile:
    """`work/daemon.json`, replaced when it changes; losing it loses nothing."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path, self._files = path, files
        self._started = time.time()
        self._last = ""

    def write(self, scheduler: Scheduler, outlook: Outlook) -> None:
        """Tell the health of the daemon, its intake and its devices."""
        health = {
            "pid": os.getpid(),
            "version": __version__,
            "started": self._started,
            "state": outlook.state,
            "paused": outlook.paused,
            "inbox_lost": outlook.inbox_lost,
            "notes": [note.model_dump(mode="json") for note in outlook.notes],
            "devices": list(_devices(scheduler)),
            "running": {job_id: running.slot.name for job_id, running in scheduler.running.items()},
        }
        text = json.dumps(health)
        if text != self._last:
            with contextlib.suppress(OSError):
                self._files.write(self.path, text.encode(), durable=False)
                self._last = text

    def note_progress(self, paths: JobPaths, report: Report, slot: str) -> None:
        """Keep the last report of a running job beside it."""
        note = report.model_dump() | {"slot": slot, "time": time.time()}
        with contextlib.suppress(OSError):
            self._files.write(paths.progress, json.dumps(note).encode(), durable=False)


def _devices(scheduler: Scheduler) -> Iterator[dict[str, Any]]:
    """The health of each device; `retry_at` is in whole seconds since the epoch."""
    slots = Counter(slot.device for slot in scheduler.slots)
    for name, breaker in scheduler.breakers.items():
        told: dict[str, Any] = {
            "device": name,
            "slots": slots[name],
            "state": "down" if breaker.is_open else "up",
            "failures": breaker.failures,
        }
        if breaker.retry_at is not None:
            told["retry_at"] = round(time.time() + breaker.retry_at - time.monotonic())
        yield told
