"""When the inbox is looked at."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.intake.admission import Admission
from nstd.intake.claim import Claims
from nstd.intake.inbox import Inbox
from nstd.intake.ready import Ready
from nstd.intake.scan_schedule import REST_FACTOR
from nstd.logs.throttle import DiskErrors
from nstd.queue.ended import EndedJobs
from nstd.queue.overrides import Overrides
from nstd.queue.scheduler import Scheduler
from nstd.queue.store import JobStore
from nstd.system.durable import Files


def test_slow_looks_leave_most_of_the_time_to_the_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a look is asked for: by the interval, and by what happens in the inbox."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "outbox").mkdir()
    config = Config.at(tmp_path, watch={"mode": "poll", "poll": "10ms"})
    inbox = Inbox(config)
    ready = inbox.ready

    def slow(now: float) -> list[Ready]:
        time.sleep(0.1)
        return ready(now)

    monkeypatch.setattr(inbox, "ready", slow)
    store = JobStore(tmp_path / "work", Files())
    scheduler = Scheduler([], config)
    intake = Admission(
        config,
        inbox,
        Overrides(tmp_path / "work", Files()),
        store,
        Claims(store, inbox.root, Files(), inbox.made, tmp_path / "outbox" / "archive"),
        scheduler,
        EndedJobs(scheduler.members),
        Backends(),
        DiskErrors(),
        lambda: None,
    )
    now = time.monotonic()
    intake.work(now)
    assert not scheduler.waiting
    intake.scans.soon()
    assert intake.next_event(now) >= now + REST_FACTOR * 0.1
