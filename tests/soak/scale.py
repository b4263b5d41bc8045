"""`python -m tests.soak.scale`: how many jobs the daemon itself moves in a second.

An executor that has thousands of slots and makes pictures in no time leaves what the daemon
does: look, claim, dispatch, note progress, publish, and tell how things stand, on a real disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any
from unittest import mock

from PIL import Image

import nstd.daemon.pipeline
from nstd.daemon.daemon import Daemon
from nstd.daemon.dispatcher import Dispatcher
from nstd.daemon.health import HealthFile
from nstd.daemon.pipeline import Pipeline
from nstd.daemon.wakeup import WakePipe
from nstd.documents.config import Config
from nstd.executors.contract import Begun, Event
from nstd.intake.inbox import Inbox
from nstd.queue.job import Ending, Job, Outcome
from nstd.queue.progress import Report
from nstd.queue.slots import Slot
from nstd.system.durable import Files
from soak.meter import Meter
from soak.scan import make_crowd


class Fleet:
    """An executor of many slots whose attempts do nothing for so many seconds, and report it."""

    def __init__(self, slots: int, lasting: float) -> None:
        self._slots = [Slot(f"node{number // 8}/gpu:{number % 8}", 0) for number in range(slots)]
        self._lasting, self._wake_pipe = lasting, WakePipe()
        self._begun: list[Begun] = []
        self._running: deque[tuple[float, str]] = deque()
        self._reported = 0.0
        self._timer: Timer | None = None
        self.most = 0
        """The most that ran at once."""

    def open(self) -> None:
        """Ready."""

    def slots(self) -> Sequence[Slot]:
        """All of them."""
        return self._slots

    def why_no_slots(self) -> str:
        """None."""
        return ""

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Leave what a worker leaves."""
        (folder / "picture.png").write_bytes(b"a picture")
        picture = {"sha256": "", "bytes": 9, "width": 3, "height": 3}
        facts = {"picture": picture, "device": slot.device, "slot": slot.name, "steps": 1}
        facts |= dict.fromkeys(("network", "seed", "stopped")) | {"device_name": ""}
        facts |= {"losses": [], "seconds": {"total": 0.0}, "peak_memory": {}, "versions": {}}
        (folder / "result.json").write_text(json.dumps(facts))
        self._begun.append(Begun(job=job.id))
        self._running.append((time.monotonic() + self._lasting, job.id))
        self.most = max(self.most, len(self._running))

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """Too late."""

    def stop(self, job_id: str) -> None:
        """Too late."""

    def events(self) -> Iterable[Event]:
        """What began and ended since the last call, and once a second a report of each."""
        self._wake_pipe.clear()
        now = time.monotonic()
        yield from self._begun
        self._begun.clear()
        while self._running and self._running[0][0] <= now:
            yield Outcome(job=self._running.popleft()[1], ending=Ending.FINISHED)
        if now >= self._reported + 1.0:
            self._reported = now
            yield from [self._report(job) for _, job in self._running]

    def _report(self, job: str) -> Report:
        steps = {"step": 1, "steps": 2, "level": 1, "levels": 3, "fraction": 0.5}
        return Report(job=job, **steps, losses={"total": 1.5}, elapsed=1.0, eta=1.0)

    def waitables(self) -> Sequence[Any]:
        """Readable when the next attempt ends."""
        if self._timer is not None:
            self._timer.cancel()
        if self._running:
            self._timer = Timer(
                max(0.0, self._running[0][0] - time.monotonic()), self._wake_pipe.wake
            )
            self._timer.daemon = True
            self._timer.start()
        return [self._wake_pipe.fileno()]

    def configure(self, config: Config) -> None:
        """Nothing to take over."""

    def close(self) -> None:
        """Nothing to end."""
        if self._timer is not None:
            self._timer.cancel()


PARTS: dict[str, tuple[type, str]] = {
    "start up": (Daemon, "_start"),
    "scan": (Inbox, "ready"),
    "claim": (Pipeline, "admit"),
    "dispatch": (Dispatcher, "dispatch"),
    "collect": (Dispatcher, "collect"),
    "progress": (Dispatcher, "_note"),
    "publish": (Pipeline, "publish"),
    "state": (HealthFile, "write"),
    "worker": (Fleet, "start"),
    "asleep": (Daemon, "_sleep"),
    "all": (Daemon, "run"),
}
"""What is measured; the parts called by another are taken out of it."""
NOT_OURS = ("start up", "worker", "asleep")
SHOWN = [name for name in PARTS if name not in (*NOT_OURS, "all")]


class Counting(Files):
    """Counts what is synced."""

    def __init__(self) -> None:
        self.steps: Counter[str] = Counter()

    def step(self, operation: str, path: Path) -> None:
        """One more."""
        self.steps[operation] += 1

    @property
    def synced(self) -> int:
        """Files and folders."""
        return self.steps["fsync"] + self.steps["fsync_folder"]


@dataclass(frozen=True)
class Figures:
    """What it took to work off so many jobs."""

    jobs: int
    meter: Meter
    synced: int
    most: int
    reports: int

    def __str__(self) -> str:
        """A line for a table: milliseconds of CPU for each job by part, and jobs a second."""
        cpu = [self.meter.cpu[part] for part in SHOWN]
        rest = self.meter.cpu["all"]
        wall = sum(self.meter.wall[part] for part in [*SHOWN, "all"])
        each = "".join(f"{1000 * seconds / self.jobs:>9.2f}" for seconds in [*cpu, rest])
        total = sum(cpu) + rest
        rates = f"{self.jobs / total:>8.0f}{self.jobs / wall:>8.0f}"
        synced = self.synced / self.jobs
        return f"{each}{rates}{synced:>7.0f}{self.most:>7}{self.reports / self.jobs:>8.1f}"


HEAD = "".join(f"{name:>9}" for name in [*SHOWN, "rest"])
HEAD += f"{'CPU/s':>8}{'wall/s':>8}{'fsyncs':>7}{'most':>7}{'reports':>8}"


def measure(root: Path, jobs: int, slots: int, lasting: float = 0.0) -> Figures:
    """Work off `jobs` sidecars with a real daemon, on so many slots."""
    config = make_crowd(root, jobs)
    for name in [*root.glob("inbox/*.png"), root / "styles" / "starry.png"]:
        Image.new("RGB", (3, 3)).save(name)
    wanted = {"backend": "color-transfer", "queue": max(100, slots)}
    config = Config.at(
        config.root, watch={"settle": 0.0, "mode": "poll"}, jobs=wanted, log={"console": "none"}
    )
    fleet, files, meter = Fleet(slots, lasting), Counting(), Meter()
    with mock.patch.object(nstd.daemon.pipeline, "make_executor", lambda *_: fleet):
        daemon = Daemon(config, once=True, files=files)
    with meter.measuring(PARTS):
        daemon.run()
    made = sum(1 for _ in config.folder("outbox").glob("0*"))
    if made != jobs:
        sys.exit(f"{made} pictures of {jobs} jobs")
    return Figures(jobs, meter, files.synced, fleet.most, meter.calls["progress"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.scale", description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--slots", type=int, nargs="+", default=[10, 1_000])
    parser.add_argument("--lasting", type=float, default=0.0, help="seconds that each job takes")
    given = parser.parse_args()
    print("milliseconds of CPU for each job, by part; then jobs a second of CPU and of the clock")
    print(f"{'jobs':>8}{'slots':>7}{HEAD}")
    for slots in given.slots:
        for jobs in given.jobs:
            with tempfile.TemporaryDirectory() as folder:
                figures = measure(Path(folder), jobs, slots, given.lasting)
            print(f"{jobs:>8}{slots:>7}{figures}", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
