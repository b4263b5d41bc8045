"""Files that `nstd status` reads: the health of the daemon and the progress of its jobs."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nstd import __version__
from nstd.queue.daemon_state import DaemonState
from nstd.queue.health import BEAT, DeviceHealth, Health
from nstd.queue.paths import JobPaths
from nstd.queue.progress import ProgressNote, Report
from nstd.queue.scheduler import Scheduler
from nstd.system.durable import Files


class HealthFile:
    """Writes `work/daemon.json` when it changes, and renews its time as a sign of life.

    No other part depends on the file.
    """

    def __init__(self, path: Path, files: Files) -> None:
        self.path, self._files = path, files
        self._started = time.time()
        self._last, self._beaten = "", 0.0

    def write(self, scheduler: Scheduler, state: DaemonState) -> None:
        """Write the health of the daemon, its intake, its devices and its backends."""
        health = Health(
            pid=os.getpid(),
            version=__version__,
            started=self._started,
            state=state.phase,
            paused=state.paused,
            start_pause=scheduler.start_pause,
            inbox_lost=state.inbox_lost,
            unavailable=state.unavailable,
            notes=tuple(state.notes),
            recipes=tuple(state.recipes),
            devices=tuple(_devices(scheduler)),
            running={job_id: running.slot.name for job_id, running in scheduler.running.items()},
        )
        text = health.model_dump_json()
        if text != self._last:
            with contextlib.suppress(OSError):
                self._files.write(self.path, text.encode(), durable=False)
                self._last = text
        self._beat(time.monotonic())

    def _beat(self, now: float) -> None:
        """Renew the time of the file, which a full disk does not prevent."""
        if now - self._beaten < BEAT:
            return
        try:
            os.utime(self.path)
        except FileNotFoundError:
            self._last = ""  # somebody removed it: the next turn writes it again
        except OSError:
            return
        self._beaten = now

    def note_progress(self, paths: JobPaths, report: Report, slot: str) -> None:
        """Write the last progress report of a running job into the folder of the job."""
        note = ProgressNote(**report.model_dump(), slot=slot, time=time.time())
        with contextlib.suppress(OSError):
            self._files.write(paths.progress, note.model_dump_json().encode(), durable=False)


def _devices(scheduler: Scheduler) -> Iterator[DeviceHealth]:
    """The health of each device."""
    slots = Counter(slot.device for slot in scheduler.slots)
    for name, breaker in scheduler.breakers.items():
        again = breaker.retry_at
        yield DeviceHealth(
            device=name,
            slots=slots[name],
            state="down" if breaker.is_open else "up",
            failures=breaker.failures,
            retry_at=None if again is None else round(time.time() + again - time.monotonic()),
        )
