"""A file of metrics in Prometheus' text format, for node_exporter's textfile collector.

The only module that uses prometheus-client (the extra `nstd[metrics]`); the library is loaded only
when the config names a file. Counters begin at 0 at each start of the daemon.
"""

from __future__ import annotations

import importlib
import shutil
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from nstd import __version__
from nstd.documents.config import Config
from nstd.errors import CODES, ConfigError
from nstd.logs.events import EVENTS
from nstd.logs.log import listen
from nstd.logs.throttle import DiskErrors
from nstd.queue.daemon_state import DaemonState
from nstd.queue.scheduler import Scheduler
from nstd.system.durable import Files

_DISKS = ("inbox", "work", "outbox")


class Metrics:
    """Counts the events of the log, and regularly writes the counts and the current state."""

    def __init__(
        self,
        config: Config,
        files: Files,
        scheduler: Scheduler,
        state: DaemonState,
        disk_errors: DiskErrors,
    ) -> None:
        self._scheduler, self._state = scheduler, state
        self._settings, self._files, self._disk_errors = config.metrics, files, disk_errors
        self._folders = {name: config.folder(name) for name in _DISKS}
        self._due = 0.0
        self._meters: _Meters | None = None
        if self._settings.file is not None:
            self._path = config.root / self._settings.file.expanduser()
            with suppress(OSError):  # the first write reports it
                files.make_folder(self._path.parent)
            self._meters = _Meters()
            self._unlisten = listen(self._meters.count)

    def configure(self, config: Config) -> None:
        """Does nothing: a change of the file needs a restart."""

    def work(self, now: float) -> None:
        """Write the file when it is time; an error of the disk is logged and nothing else is
        affected."""
        if self._meters is None or now < self._due:
            return
        self._due = now + self._settings.every
        self._meters.update(self._scheduler)
        self._meters.note_inbox(self._state)
        self._meters.paused.set(bool(self._state.paused))
        self._meters.lost.set(self._state.inbox_lost)
        self._meters.pause(self._scheduler)
        for name, folder in self._folders.items():
            with suppress(OSError):
                self._meters.free.labels(name).set(shutil.disk_usage(folder).free)
        self._write()

    def close(self) -> None:
        """Write the file a last time: the final counts, and that the daemon is down."""
        if self._meters is not None:
            self._unlisten()
            self._meters.up.set(0)
            self._write()
            self._meters = None

    @property
    def is_idle(self) -> bool:
        """Always true: `close` writes the last figures."""
        return True

    def next_event(self, _now: float) -> float:
        """When the file is written next."""
        return float("inf") if self._meters is None else self._due

    def waitables(self) -> tuple[()]:
        """Nothing to wait on."""
        return ()

    def _write(self) -> None:
        assert self._meters is not None
        try:
            self._files.write(self._path, self._meters.text(), durable=False)
        except OSError as error:
            self._disk_errors.log(error, str(self._path))


class _Meters:
    """All counters and gauges."""

    def __init__(self) -> None:
        prometheus = _load()
        self._latest = prometheus.generate_latest
        self._registry = registry = prometheus.CollectorRegistry()

        def meter(kind: str, name: str, text: str, *labels: str) -> Any:
            made = getattr(prometheus, kind)
            return made(f"nstd_{name}", text, labels, registry=registry)

        self.up = meter("Gauge", "up", "1 while the daemon runs, 0 after it has stopped.")
        self.up.set(1)
        meter("Gauge", "start_time_seconds", "When the daemon was started.").set(time.time())
        meter("Gauge", "build_info", "The version, as a label.", "version").labels(__version__).set(
            1
        )
        self.ended = meter("Counter", "jobs_ended", "Jobs by outcome.", "outcome", "code")
        self.events = meter("Counter", "events", "Warnings and errors.", "event", "level")
        self.seconds = meter("Summary", "phase_seconds", "Of the jobs that are done.", "phase")
        self.jobs = meter("Gauge", "jobs", "Jobs by where they are.", "state")
        self.oldest = meter("Gauge", "oldest_job_age_seconds", "Of those not held.")
        self.paused = meter("Gauge", "intake_paused", "1 while no jobs are taken in.")
        self.starts = meter("Gauge", "starts_paused", "1 while no job is started.", "cause")
        self.lost = meter("Gauge", "inbox_lost", "1 while the inbox cannot be read.")
        self.device = meter("Gauge", "device_up", "0 while its breaker is open.", "device")
        self.slots = meter("Gauge", "device_slots", "Jobs that it can run at once.", "device")
        self.busy = meter("Gauge", "device_running", "Jobs that it runs.", "device")
        self.free = meter("Gauge", "disk_free_bytes", "Where the folder lies.", "folder")
        self._begin()

    def _begin(self) -> None:
        """Create each counter with the value 0, so that its first increase is visible."""
        self.ended.labels("finished", "")
        for code in CODES:
            self.ended.labels(_outcome(code), code)
        for name, event in EVENTS.items():
            if event.level != "info":
                self.events.labels(name, event.level)

    def count(self, event: str, line: dict[str, Any]) -> None:
        """Count one event of the log."""
        if line["level"] != "info":
            self.events.labels(event, line["level"]).inc()
        if event == "job.failed":
            self.ended.labels(_outcome(line["code"]), line["code"]).inc()
        if event == "job.finished":
            self.ended.labels("finished", "").inc()
            for phase, seconds in {**line["seconds"], "queued": line["queued"]}.items():
                if isinstance(seconds, int | float):
                    self.seconds.labels(phase).observe(seconds)

    def update(self, scheduler: Scheduler) -> None:
        """Update the gauges: waiting jobs, running jobs and the state of the devices."""
        jobs = [entry.job for entry in scheduler.waiting.values() if not entry.job.held]
        self.jobs.labels("waiting").set(len(jobs))
        self.jobs.labels("held").set(len(scheduler.waiting) - len(jobs))
        jobs += [entry.job for entry in scheduler.running.values()]
        self.jobs.labels("running").set(len(scheduler.running))
        oldest = min((job.submitted for job in jobs), default=None)
        self.oldest.set(0 if oldest is None else max(0.0, time.time() - oldest))
        slots = Counter(slot.device for slot in scheduler.slots)
        busy = Counter(running.slot.device for running in scheduler.running.values())
        for device, breaker in scheduler.breakers.items():
            self.device.labels(device).set(not breaker.is_open)
            self.slots.labels(device).set(slots[device])
            self.busy.labels(device).set(busy[device])

    def note_inbox(self, state: DaemonState) -> None:
        """Update the gauges of the sidecars that wait in the inbox. Comes after `update`."""
        self.jobs.labels("inbox").set(state.inbox - state.held_in_inbox)
        self.jobs.labels("held").inc(state.held_in_inbox)

    def pause(self, scheduler: Scheduler) -> None:
        """Update the gauges that say whether jobs are started, and who wants that."""
        pause = scheduler.start_pause
        for cause in ("person", "schedule"):
            self.starts.labels(cause).set(pause is not None and pause.cause == cause)

    def text(self) -> bytes:
        """All metrics in the text format."""
        text: bytes = self._latest(self._registry)
        return text


def _outcome(code: str) -> str:
    """The outcome of a job that ended with this code: nothing is wrong where a person ended it."""
    return "cancelled" if code == "cancelled" else "failed"


def _load() -> Any:
    """Load prometheus-client. Raises ConfigError when it is not installed."""
    try:
        prometheus = importlib.import_module("prometheus_client")
    except ImportError:
        raise ConfigError(
            "config_invalid",
            "metrics.file is set, but the package prometheus-client is not installed",
            "pip install 'nstd[metrics]', or take metrics.file out of the config",
        ) from None
    prometheus.disable_created_metrics()
    return prometheus
