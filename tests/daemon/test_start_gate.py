"""The gate before the starts of jobs, from the first moment of a daemon."""

from __future__ import annotations

from pathlib import Path

from nstd.daemon.start_gate import StartGate
from nstd.documents.config import Config
from nstd.queue.scheduler import Scheduler
from nstd.system.durable import Files


def test_a_daemon_that_does_not_know_yet_whether_it_is_paused_says_so_and_starts_nothing(
    tmp_path: Path,
) -> None:
    """It does not propose to resume what nobody has paused."""
    (tmp_path / "work").mkdir()
    config = Config.at(tmp_path)
    scheduler = Scheduler([], config)
    gate = StartGate(config, Files(), scheduler)
    assert scheduler.start_pause is not None
    assert scheduler.start_pause.describe() == "the daemon has just been started"
    gate.work(0.0)
    assert scheduler.start_pause is None
