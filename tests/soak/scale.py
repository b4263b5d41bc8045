"""`python -m tests.soak.scale`: how many jobs the daemon itself moves in a second.

An executor that has thousands of slots and makes a picture in no time leaves what the daemon
does: look, claim, dispatch, collect and publish, on a real disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

import nstd.line
from nstd.config import Config
from nstd.devices import Slot
from nstd.executor import Event
from nstd.files import Files
from nstd.job import Ending, Job, Outcome
from nstd.line import Line
from nstd.log import Logging
from nstd.outbox import LOGS
from nstd.settings import Log
from soak.scan import make_crowd

_STEPS = ("take_in", "dispatch", "collect", "put_out")


class Instant:
    """An executor on which every attempt has ended when it is looked at."""

    def __init__(self, slots: int) -> None:
        self._slots = [Slot(f"node{number // 8}/gpu:{number % 8}", 0) for number in range(slots)]
        self._ended: list[Event] = []

    def open(self) -> None:
        """Ready."""

    def slots(self) -> Sequence[Slot]:
        """All of them."""
        return self._slots

    def trouble(self) -> str:
        """None."""
        return ""

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        """Leave what a worker leaves."""
        (folder / "picture.png").write_bytes(b"a picture")
        picture = {"sha256": "", "bytes": 9, "width": 3, "height": 3}
        facts = {"picture": picture, "device": slot.device, "slot": slot.name, "steps": 1}
        facts |= dict.fromkeys(("network", "seed", "stopped", "device_name"))
        facts |= {"losses": [], "seconds": {"total": 0.0}, "peak_memory": {}, "versions": {}}
        (folder / "result.json").write_text(json.dumps(facts))
        self._ended.append(Outcome(job=job.id, ending=Ending.FINISHED))

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        """Too late."""

    def stop(self, job_id: str) -> None:
        """Too late."""

    def events(self) -> Iterable[Event]:
        """The ends since the last call."""
        events, self._ended = self._ended, []
        return events

    def waitables(self) -> Sequence[Any]:
        """Nothing to wait on."""
        return []

    def configure(self, config: Config) -> None:
        """Nothing to take over."""

    def close(self) -> None:
        """Nothing to end."""


def measure(root: Path, jobs: int, slots: int) -> dict[str, float]:
    """Seconds of each step of the line, and of all, while `jobs` sidecars become results."""
    config = make_crowd(root, jobs)
    for name in [*root.glob("inbox/*.png"), root / "styles" / "starry.png"]:
        Image.new("RGB", (3, 3)).save(name)
    wanted = {"backend": "color-transfer", "queue": max(100, slots)}
    config = Config.at(config.root, watch={"settle": 0.0, "mode": "poll"}, jobs=wanted)
    real, nstd.line.make_executor = nstd.line.make_executor, lambda *_: Instant(slots)  # type: ignore[attr-defined]
    try:
        line = Line(config, Files(), lambda: None)
    finally:
        nstd.line.make_executor = real  # type: ignore[attr-defined]
    logging = Logging(config.folder("outbox") / LOGS, Log(console="none"))
    line.plugins.check_all()
    line.open()
    seconds, began = dict.fromkeys(_STEPS, 0.0), time.monotonic()
    while line.publisher.finished < jobs:
        if line.publisher.failed:
            sys.exit(f"{line.publisher.failed} jobs failed")
        for step in _STEPS:
            now = time.monotonic()
            getattr(line, step)(now)
            seconds[step] += time.monotonic() - now
    seconds["all"] = time.monotonic() - began
    line.close()
    logging.close()
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.scale", description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--slots", type=int, nargs="+", default=[10, 1_000])
    given = parser.parse_args()
    print(f"{'jobs':>8} {'slots':>6}" + "".join(f"{step + '/s':>12}" for step in [*_STEPS, "all"]))
    for slots in given.slots:
        for jobs in given.jobs:
            with tempfile.TemporaryDirectory() as folder:
                seconds = measure(Path(folder), jobs, slots)
            rates = "".join(f"{jobs / each:>12.0f}" for each in seconds.values())
            print(f"{jobs:>8} {slots:>6}{rates}", flush=True)


if __name__ == "__main__":
    main()
