"""More slots than one machine has: all of them get their jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from soak.scale import measure

from nstd.documents.config import Config
from nstd.queue.breaker import Breaker
from nstd.queue.job import Job
from nstd.queue.scheduler import Scheduler
from nstd.queue.slots import FreeSlots, Slot


def test_a_thousand_slots_are_filled_at_once() -> None:
    """Each job has a slot of its own, in their order."""
    slots = [Slot(f"node{number}/gpu:0", 0) for number in range(1000)]
    scheduler = Scheduler(slots, Config.model_validate({}))
    for number in range(1000):
        name = f"job-{number:04}"
        job = Job(id=name, name=name, folder="", sidecar="", submitted=float(number), claimed=0.0)
        scheduler.add(job)
    assert [slot for _, slot in scheduler.dispatch(0.0)] == slots


def test_a_slot_is_looked_at_once_however_many_jobs_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it costs to dispatch a job does not grow with the crowd."""
    looked: list[Breaker] = []
    admits = Breaker.admits

    def looking(breaker: Breaker, now: float) -> bool:
        looked.append(breaker)
        return admits(breaker, now)

    monkeypatch.setattr(Breaker, "admits", looking)
    slots = [Slot(f"node{number}/gpu:0", 0) for number in range(1000)]
    scheduler = Scheduler(slots, Config.model_validate({}))
    for number in range(2000):
        name = f"job-{number:04}"
        job = Job(id=name, name=name, folder="", sidecar="", submitted=0.0, claimed=0.0)
        scheduler.add(job)
    assert len(list(scheduler.dispatch(0.0))) == 1000
    assert len(looked) == 1000


def test_slots_warm_for_the_job_go_first_then_cold_ones() -> None:
    """Each once, and those that admit nothing not at all."""
    slots = [Slot(f"node{number}/gpu:0", 0) for number in range(5)]
    idle = FreeSlots(slots, {slots[0]: "theirs", slots[3]: "mine", slots[1]: "mine"})

    def taken(affinity: str) -> int | None:
        slot = idle.take(affinity, lambda slot: slot != slots[4])
        return None if slot is None else slots.index(slot)

    assert [taken("mine") for _ in range(3)] == [1, 3, 2]
    assert [taken("mine"), taken("mine")] == [0, None]
    assert not idle


def test_the_measure_of_the_daemon_moves_every_job(tmp_path: Path) -> None:
    """What `python -m tests.soak.scale` prints is of jobs that were all published."""
    figures = measure(tmp_path, jobs=20, slots=50)
    assert figures.synced >= 20
    assert all(figures.meter.calls[part] for part in ("scan", "claim", "dispatch", "publish"))
    assert len(list(tmp_path.glob("outbox/0*/0*.json"))) == 20
