"""The dispatcher between a real scheduler, a real store and an executor that does as it is told."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.executors import TWO, make_config, make_job

from nstd.daemon.dispatcher import Dispatcher
from nstd.daemon.health import HealthFile
from nstd.documents.config import Config
from nstd.executors.contract import Begun, Event
from nstd.logs.log import emit
from nstd.logs.throttle import DiskErrors
from nstd.queue.ended import EndedJobs
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.progress import Report
from nstd.queue.scheduler import Scheduler
from nstd.queue.slots import Slot
from nstd.queue.store import JobStore
from nstd.system.durable import Files
from nstd.system.waits import USUAL


class FakeExecutor:
    """Notes what it is asked for, and tells what the test wants told."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.asked: list[tuple[str, str]] = []
        self.found: list[dict[str, Any]] = []
        """What stood in job.json when the attempt was started."""
        self.places = TWO[:1]
        self.why = ""

    def open(self) -> None:
        self.asked.append(("open", ""))

    def slots(self) -> list[Slot]:
        return self.places

    def why_no_slots(self) -> str:
        return self.why

    def start(self, job: Job, slot: Slot, folder: Path) -> None:
        self.asked.append(("start", job.id))
        self.found.append(json.loads((folder / "job.json").read_text()))

    def cancel(self, job_id: str, *, kill: bool = False) -> None:
        self.asked.append(("kill" if kill else "cancel", job_id))

    def stop(self, job_id: str) -> None:
        self.asked.append(("stop", job_id))

    def events(self) -> list[Event]:
        told, self.told = self.told, []
        return told

    def waitables(self) -> Sequence[Any]:
        return []

    def configure(self, config: Config) -> None: ...

    def close(self) -> None:
        self.asked.append(("close", ""))


class Full(Files):
    """A disk that takes nothing while `is_full`."""

    is_full = False

    def step(self, operation: str, path: Path) -> None:
        if self.is_full and operation == "create":
            raise OSError(errno.ENOSPC, "no space left on device", str(path))


class Bench:
    """A dispatcher with what surrounds it, on a clock of the test's own."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.files, self.executor = Full(), FakeExecutor()
        config = make_config(root, **settings)
        self.scheduler = Scheduler(self.executor.slots(), config)
        self.ended = EndedJobs(self.scheduler.members)
        self.store = JobStore(root / "work", self.files)
        self.dispatcher = Dispatcher(
            config,
            self.executor,
            self.scheduler,
            self.ended,
            self.store,
            HealthFile(root / "work" / "daemon.json", self.files),
            DiskErrors(),
        )

    def add(self, name: str, **fields: Any) -> Job:
        job = make_job(self.store.work / name, name, **fields)
        self.store.save(job)
        self.scheduler.add(job)
        return job

    def run(self, name: str, now: float = 0.0) -> None:
        self.add(name)
        self.dispatcher.dispatch(now)
        assert name in self.scheduler.running

    def tell(self, *events: Event, now: float = 1.0) -> None:
        self.executor.told += events
        self.dispatcher.collect(now)

    @property
    def over(self) -> dict[str, Failure | None]:
        """The jobs that have ended, each with why it failed."""
        return {each.job.id: each.failure for each in self.ended}

    def on_disk(self, name: str) -> Job:
        return self.store.paths(name).read_job()


def failed(job: str, code: str = "worker_died", **flags: bool) -> Outcome:
    failure = Failure(code=code, message="it broke")
    return Outcome(job=job, ending=Ending.FAILED, failure=failure, **flags)


def finished(job: str) -> Outcome:
    return Outcome(job=job, ending=Ending.FINISHED)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def log(logged: list[dict[str, Any]]) -> Callable[[str], list[dict[str, Any]]]:
    """The log lines of an event."""
    return lambda event: [line for line in logged if line["event"] == event]


Log = Callable[[str], list[dict[str, Any]]]


def test_an_attempt_is_durable_before_it_begins(bench: Bench) -> None:
    """So that a job which kills the daemon is not tried for ever."""
    bench.run("beach")
    (found,) = bench.executor.found
    assert (found["attempt"], found["running"]) == (1, True)


def test_a_finished_job_goes_to_the_publisher(bench: Bench) -> None:
    """And its slot to the next."""
    bench.run("beach")
    bench.tell(finished("beach"))
    assert bench.over == {"beach": None}
    bench.run("next")


def test_a_retry_is_told_waits_and_keeps_its_attempt(bench: Bench, log: Log) -> None:
    """The backoff of the config is on the clock, the attempt on the disk."""
    bench.run("beach")
    bench.tell(failed("beach"), now=5.0)
    (line,) = log("job.retried")
    assert (line["attempt"], line["code"], line["delay"]) == (1, "worker_died", 0.1)
    assert (bench.on_disk("beach").attempt, bench.on_disk("beach").running) == (1, False)
    bench.dispatcher.dispatch(5.05)
    assert "beach" in bench.scheduler.waiting
    bench.dispatcher.dispatch(5.1)
    assert bench.on_disk("beach").attempt == 2


def test_a_job_that_meets_a_full_disk_uses_no_attempt_and_lets_the_others_go_first(
    bench: Bench, log: Log
) -> None:
    """It may be too large for what is free, and the others not; what was full is told."""
    bench.run("beach")
    bench.add("other")
    full = failed("beach", "disk_full").model_copy(update={"full_path": "/disk/checkpoint"})
    bench.tell(full, now=5.0)
    (line,) = log("disk.full")
    assert (line["path"], line["job"]) == ("/disk/checkpoint", "beach")
    assert bench.dispatcher.reason_to_pause() == ""
    bench.dispatcher.dispatch(5.1)
    assert set(bench.scheduler.running) == {"other"}
    assert bench.on_disk("beach").attempt == 0
    bench.tell(finished("other"), now=6.0)
    bench.dispatcher.dispatch(6.0)
    assert not bench.scheduler.running
    bench.dispatcher.dispatch(5.0 + USUAL.full_job)
    assert set(bench.scheduler.running) == {"beach"}


def test_nothing_begins_that_the_disk_did_not_take(bench: Bench, log: Log) -> None:
    """The attempt would not count if the daemon died in it."""
    bench.add("beach")
    bench.files.is_full = True
    bench.dispatcher.dispatch(0.0)
    assert not bench.executor.asked
    assert len(log("disk.full")) == 1
    bench.files.is_full = False
    bench.dispatcher.dispatch(USUAL.disk)
    assert bench.executor.found[0]["attempt"] == 1


def test_a_disk_that_has_recovered_pauses_nothing_even_if_no_job_is_left_to_try_it(
    bench: Bench,
) -> None:
    """The job that met the trouble may be cancelled: intake goes on."""
    bench.add("beach")
    bench.files.is_full = True
    bench.dispatcher.dispatch(0.0)
    bench.files.is_full = False
    assert bench.dispatcher.reason_to_pause()
    bench.dispatcher.cancel("beach")
    bench.dispatcher.dispatch(USUAL.disk)
    assert bench.dispatcher.reason_to_pause() == ""


def test_a_disk_that_is_full_when_a_job_is_put_back_costs_no_attempt(bench: Bench) -> None:
    """Memory knows what the disk could not take."""
    bench.run("beach")
    bench.files.is_full = True
    bench.tell(failed("beach", "disk_full"))
    bench.files.is_full = False
    bench.dispatcher.dispatch(100.0)
    assert bench.on_disk("beach").attempt == 1


def test_a_time_out_asks_and_a_hang_kills(tmp_path: Path) -> None:
    """A worker that moves may clean up; one that hangs cannot."""
    bench = Bench(tmp_path, workers={"stall": "50s"})
    bench.run("beach")
    bench.tell(Begun(job="beach"), now=0.0)
    bench.tell(now=49.0)
    bench.tell(now=50.0)
    bench.tell(now=51.0)
    assert bench.executor.asked[1:] == [("kill", "beach")]
    bench.tell(failed("beach", device_fault=True), now=52.0)
    bench.add("slow", timeout=10.0, priority=99)
    bench.dispatcher.dispatch(60.0)
    bench.tell(Begun(job="slow"), now=60.0)
    bench.tell(now=70.0)
    assert bench.executor.asked[-1] == ("cancel", "slow")


def test_progress_is_told_and_kept_beside_the_job(bench: Bench, log: Log) -> None:
    """For the log, and for `nstd status`."""
    bench.run("beach")
    report = Report(
        job="beach",
        step=3,
        steps=9,
        level=1,
        levels=2,
        fraction=0.3,
        losses={"total": 1.5},
        elapsed=2.0,
        eta=4.0,
    )
    bench.tell(report)
    (line,) = log("job.progress")
    assert (line["step"], line["scale"], line["slot"]) == (3, "1/2", "cpu/0")
    note = json.loads(bench.store.paths("beach").progress.read_text())
    assert (note["step"], note["losses"], note["slot"]) == (3, {"total": 1.5}, "cpu/0")


def test_what_a_backend_has_to_say_is_logged(bench: Bench, log: Log) -> None:
    """As an event of its own, on one line, whatever it says."""
    bench.run("beach")
    about: dict[str, Any] = {"step": 0, "steps": 1, "level": 1, "levels": 1, "fraction": 0.0}
    about |= {"losses": {}, "elapsed": 0.1, "eta": None}
    bench.tell(Report(job="beach", note="memory\nis short", **about))
    (line,) = log("job.noted")
    assert line["note"] == "memory\\nis short"
    assert line["slot"] == "cpu/0"
    assert log("job.progress")


def test_what_is_odd_about_pictures_is_logged(bench: Bench, log: Log) -> None:
    """A line for each note, beside how far the job is."""
    bench.run("beach")
    about: dict[str, Any] = {"step": 0, "steps": 1, "level": 1, "levels": 1, "fraction": 0.0}
    about |= {"losses": {}, "elapsed": 0.1, "eta": None}
    bench.tell(Report(job="beach", picture_notes=("a.png: odd", "b.png: \x1bodd"), **about))
    assert [line["note"] for line in log("job.noted")] == ["a.png: odd", "b.png: \\x1bodd"]
    (line,) = log("job.progress")
    assert "picture_notes" not in line


def test_events_of_jobs_that_do_not_run_are_ignored(bench: Bench) -> None:
    """A worker may be a moment late."""
    bench.run("beach")
    bench.tell(finished("beach"))
    bench.tell(finished("beach"), failed("stranger"))
    assert bench.over == {"beach": None}


def test_an_error_in_the_middle_of_events_loses_no_other_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop tells the error and comes back for the rest."""
    bench = Bench(tmp_path)
    bench.run("beach")
    calls = 0

    def breaks_once(event: str, **fields: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("a bug")
        emit(event, **fields)

    report = Report(
        job="beach", step=1, steps=1, level=1, levels=1, fraction=1, losses={}, elapsed=0, eta=None
    )
    with monkeypatch.context() as patch:
        patch.setattr("nstd.daemon.dispatcher.emit", breaks_once)
        with pytest.raises(RuntimeError, match="a bug"):
            bench.tell(report, finished("beach"))
    bench.tell()
    assert bench.over == {"beach": None}


def test_cancelling_ends_waiting_and_running_jobs(bench: Bench) -> None:
    """The one at once, the other when its worker lets go; unknown jobs are refused."""
    bench.run("running")
    bench.add("waiting")
    assert bench.dispatcher.cancel("waiting")
    assert bench.dispatcher.cancel("running")
    assert not bench.dispatcher.cancel("stranger")
    reason = bench.over["waiting"]
    assert reason is not None
    assert reason.code == "cancelled"
    assert set(bench.over) == {"waiting"}
    assert bench.executor.asked[-1] == ("cancel", "running")
    bench.tell(Outcome(job="running", ending=Ending.CANCELLED))
    reason = bench.over["running"]
    assert reason is not None
    assert reason.code == "cancelled"
    assert bench.dispatcher.is_idle


@pytest.mark.parametrize("running", [True, False])
def test_a_restarted_job_begins_from_its_inputs(bench: Bench, log: Log, running: bool) -> None:
    """Without checkpoint, and with all its attempts before it."""
    if running:
        bench.run("beach")
    else:
        bench.add("beach", attempt=2)
    paths = bench.store.paths("beach")
    paths.checkpoint.write_text("old")
    assert bench.dispatcher.restart("beach")
    if running:
        bench.tell(Outcome(job="beach", ending=Ending.STOPPED))
        assert log("job.requeued")[0]["reason"] == "retry"
    assert not paths.checkpoint.exists()
    assert bench.on_disk("beach").attempt == 0
    bench.dispatcher.dispatch(2.0)
    assert "beach" in bench.scheduler.running
    assert not bench.dispatcher.restart("stranger")


def test_a_drain_puts_every_job_back_without_using_its_attempt(bench: Bench, log: Log) -> None:
    """Stopped by its worker, or at the end by the daemon."""
    bench.run("beach")
    bench.dispatcher.drain()
    assert bench.executor.asked[-1] == ("stop", "beach")
    bench.dispatcher.close()
    assert bench.executor.asked[-1] == ("close", "")
    assert (bench.on_disk("beach").attempt, bench.on_disk("beach").running) == (0, False)
    assert [line["reason"] for line in log("job.requeued")] == ["stopped"]


def test_the_end_takes_in_what_was_still_to_be_heard(bench: Bench) -> None:
    """A job that has just finished is not put back, nor one that a person has cancelled."""
    bench.run("beach")
    bench.executor.told.append(finished("beach"))
    bench.dispatcher.close()
    assert bench.over == {"beach": None}
    bench.run("cancelled")
    bench.dispatcher.cancel("cancelled")
    bench.dispatcher.close()
    reason = bench.over["cancelled"]
    assert reason is not None
    assert reason.code == "cancelled"


def test_a_device_that_goes_down_and_up_is_told(tmp_path: Path, log: Log) -> None:
    """With the failure that did it; while all are down, intake is to pause."""
    bench = Bench(tmp_path, workers={"failures": 2, "cooldown": "30s"})
    for name in ("one", "two"):
        bench.run(name)
        bench.tell(failed(name, "backend_failed", device_fault=True))
    (down,) = log("device.down")
    assert (down["device"], down["failures"], down["cooldown"]) == ("cpu", 2, 30.0)
    assert down["reason"] == "it broke"
    assert bench.dispatcher.reason_to_pause() == "all devices are down"
    bench.run("three", now=31.0)
    bench.tell(finished("three"), now=32.0)
    assert [line["device"] for line in log("device.up")] == ["cpu"]
    assert bench.dispatcher.reason_to_pause() == ""


def test_slots_follow_what_the_executor_has(bench: Bench) -> None:
    """Where it has none, its reason is why nothing is claimed."""
    bench.executor.places, bench.executor.why = [], "the cluster is out of reach"
    bench.dispatcher.collect(0.0)
    bench.add("beach")
    bench.dispatcher.dispatch(0.0)
    assert bench.scheduler.running == {}
    assert bench.dispatcher.reason_to_pause() == "the cluster is out of reach"
    bench.executor.places, bench.executor.why = TWO, ""
    bench.dispatcher.collect(1.0)
    bench.dispatcher.dispatch(1.0)
    assert list(bench.scheduler.running) == ["beach"]
    assert bench.dispatcher.reason_to_pause() == ""


def test_what_is_too_large_for_one_node_is_tried_on_another(bench: Bench, log: Log) -> None:
    """Memory is predicted where a job runs, and nodes differ."""
    bench.executor.places = [Slot("small/gpu:0", 0), Slot("large/gpu:0", 0)]
    bench.dispatcher.collect(0.0)
    bench.run("beach")
    bench.tell(failed("beach", "out_of_memory"), now=1.0)
    bench.dispatcher.dispatch(10.0)
    assert [line["device"] for line in log("job.started")] == ["small/gpu:0", "large/gpu:0"]
