"""A batch of pairs in the whole daemon: the time that it adds to the work of the engine."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from nstd.client import samples
from nstd.daemon.daemon import Daemon
from nstd.documents.config import Config
from nstd.documents.report_settings import LogSettings
from nstd.documents.settings import WatchSettings
from nstd.executors.devices import make_slots, resolve
from nstd.system.layout import LOG, LOGS

SETTINGS = {"options": {"preset": "draft"}, "output": {"size": 256}}


def batch(config: Config, jobs: int, folder: Path) -> dict[str, Any]:
    """Pictures per hour on the slots of `config`, and seconds of a slot between two jobs.

    The first job of each slot loads torch, so there is one more job per slot, which does not count.
    """
    root = Path(tempfile.mkdtemp(prefix="batch-", dir=folder))
    kept = {name: getattr(config, name) for name in ("devices", "slots")}
    kept["workers"] = config.workers.model_copy(update={"cache": 0})  # pictures of one style
    quiet = Config.at(
        root, watch=WatchSettings(settle=0.2), log=LogSettings(console="none"), **kept
    )
    daemon = Daemon(quiet, once=True)
    slots = len(make_slots(resolve(quiet.devices), quiet.slots))
    _fill(quiet.folder("inbox"), jobs + slots)
    daemon.run()
    return _figures(quiet.folder("outbox"), slots)


def scaling(config: Config, jobs: int, slots: int, folder: Path) -> dict[str, Any]:
    """Pictures per hour of `slots` slots on the CPU, and of one, each slot with one thread."""
    found: dict[str, Any] = {"slots": slots}
    with _single_threaded():
        for name, count in (("one", 1), ("all", slots)):
            alike = config.model_copy(update={"devices": ("cpu",), "slots": {"cpu": count}})
            found[name] = batch(alike, jobs, folder)["pictures_per_hour"]
    return found | {"ratio": found["all"] / found["one"]}


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Workers that are started inside this context compute with one thread."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def _fill(inbox: Path, jobs: int) -> None:
    inbox.mkdir(exist_ok=True)
    first, *_ = samples.copy_to(inbox, SETTINGS)
    text = first.read_text(encoding="utf-8")
    for path in inbox.glob("*.yaml"):
        path.unlink()
    for number in range(jobs):
        (inbox / f"{number:03}.yaml").write_text(text, encoding="utf-8")


def _figures(outbox: Path, slots: int) -> dict[str, Any]:
    lines = list(_finished(outbox))
    counted = lines[slots:]
    began, ended = (_seconds(line) for line in (lines[slots - 1], lines[-1]))
    whole = max(ended - began, 1e-9)
    work = sum(line["seconds"]["backend"] for line in counted)
    return {
        "slots": slots,
        "jobs": len(counted),
        "pictures_per_hour": 3600 * len(counted) / whole,
        "overhead_seconds": (whole * slots - work) / len(counted),
    }


def _finished(outbox: Path) -> Iterator[dict[str, Any]]:
    """The lines of finished jobs, in the order of the log."""
    for text in (outbox / LOGS / LOG).read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["event"] == "job.finished":
            yield line


def _seconds(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()
