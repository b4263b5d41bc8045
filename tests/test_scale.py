"""More slots than one machine has: all of them get their jobs."""

from __future__ import annotations

from pathlib import Path

from soak.scale import measure

from nstd.config import Config
from nstd.devices import Slot
from nstd.job import Job
from nstd.scheduler import Scheduler


def test_a_thousand_slots_are_filled_at_once() -> None:
    """Each job has a slot of its own, in their order."""
    slots = [Slot(f"node{number}/gpu:0", 0) for number in range(1000)]
    scheduler = Scheduler(slots, Config.model_validate({}))
    for number in range(1000):
        name = f"job-{number:04}"
        job = Job(id=name, name=name, folder="", sidecar="", submitted=float(number), claimed=0.0)
        scheduler.add(job)
    assert [slot for _, slot in scheduler.dispatch(0.0)] == slots


def test_the_measure_of_the_line_moves_every_job(tmp_path: Path) -> None:
    """What `python -m tests.soak.scale` prints is of jobs that were all published."""
    seconds = measure(tmp_path, jobs=20, slots=50)
    assert min(seconds.values()) > 0.0
    assert len(list(tmp_path.glob("outbox/0*/0*.json"))) == 20
