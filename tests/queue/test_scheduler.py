"""The scheduler, on a clock of the test's own: it is pure, so nothing here waits or starts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nstd.documents.config import Config
from nstd.documents.film import FilmSettings
from nstd.queue.entries import Decision, Resolution
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.scheduler import Scheduler
from nstd.queue.slots import Slot
from nstd.queue.start_pause import StartPause

CPU = Slot("cpu", 0)
TWO = [Slot("cpu", 0), Slot("cpu", 1)]


def make_job(name: str, **fields: Any) -> Job:
    """A job called `name` that wants the network `fields["network"]`."""
    network = fields.pop("network", "fitted")
    given = {"submitted": 0.0, "timeout": 100.0, "folder": "", **fields}
    return Job(
        id=name,
        name=name,
        sidecar=f"{name}.yaml",
        backend="gatys",
        options={"network": network},
        claimed=0.0,
        **given,
    )


def make(slots: list[Slot] | None = None, **sections: dict[str, Any]) -> Scheduler:
    return Scheduler(slots or [CPU], Config.model_validate(sections))


def start(scheduler: Scheduler, now: float = 0.0) -> dict[str, Slot]:
    """Dispatch what can be, to workers that take it at once; the slots by job."""
    begun = {}
    for job, slot in scheduler.dispatch(now):
        scheduler.started(job.begun(), slot)
        scheduler.begun(job.id, now)
        begun[job.id] = slot
    return begun


def run(scheduler: Scheduler, job: Job, now: float = 0.0) -> None:
    """Add the job and have it started."""
    scheduler.add(job)
    assert job.id in start(scheduler, now)


def failed(job: str, code: str = "worker_died", **flags: bool) -> Outcome:
    failure = Failure(code=code, message="it broke", detail="last words")
    return Outcome(job=job, ending=Ending.FAILED, failure=failure, **flags)


def finished(job: str) -> Outcome:
    return Outcome(job=job, ending=Ending.FINISHED)


# Held jobs, and pauses


def test_a_held_job_is_passed_over_and_counts_for_nothing() -> None:
    """Others start before it, whatever its priority; it takes no room in the queue."""
    scheduler = make(jobs={"queue": 1})
    scheduler.add(make_job("held", priority=99, held=True))
    assert not scheduler.has_free
    assert scheduler.admits(0)
    scheduler.add(make_job("other", priority=1))
    assert not scheduler.admits(1)
    assert scheduler.admits(2)
    assert set(start(scheduler)) == {"other"}
    assert start(scheduler) == {}


def test_a_job_that_is_released_or_gets_another_priority_takes_its_new_place() -> None:
    """What it waits for before another attempt stays as it was."""
    scheduler = make()
    held = make_job("held", held=True)
    scheduler.add(held, 5.0)
    scheduler.add(make_job("other"))
    scheduler.change(held.model_copy(update={"held": False, "priority": 99}))
    assert set(start(scheduler, 0.0)) == {"other"}
    scheduler.resolve(finished("other"), 0.0)
    assert set(start(scheduler, 5.0)) == {"held"}


def test_nothing_starts_while_starts_are_paused() -> None:
    """And what runs is not touched."""
    scheduler = make(TWO)
    run(scheduler, make_job("running"))
    scheduler.add(make_job("waiting"))
    scheduler.start_pause = StartPause(cause="person", since=0.0)
    assert start(scheduler) == {}
    assert (scheduler.has_free, scheduler.can_start_some) == (True, False)
    assert set(scheduler.running) == {"running"}
    scheduler.start_pause = None
    assert set(start(scheduler)) == {"waiting"}


# Order and slots


def test_the_highest_priority_runs_first_then_the_oldest() -> None:
    """Jobs of one priority run in the order of their submission."""
    scheduler = make()
    scheduler.add(make_job("late", submitted=3.0))
    scheduler.add(make_job("early", submitted=1.0))
    scheduler.add(make_job("urgent", submitted=9.0, priority=90))
    scheduler.add(make_job("never mind", submitted=0.0, priority=1))
    order = []
    while scheduler.waiting:
        (job,) = start(scheduler)
        scheduler.resolve(finished(job), 0.0)
        order.append(job)
    assert order == ["urgent", "early", "late", "never mind"]


def test_folders_take_turns_among_jobs_of_the_same_priority() -> None:
    """The oldest of each; a folder of many that came first does not keep another waiting."""
    scheduler = make([Slot("cpu", 0)])
    for number in range(4):
        scheduler.add(make_job(f"a{number}", folder="a", submitted=float(number)))
    scheduler.add(make_job("b0", folder="b", submitted=10.0))
    scheduler.add(make_job("b1", folder="b", submitted=11.0))
    ran = []
    for now in range(6):
        (job,) = start(scheduler, float(now))
        scheduler.resolve(finished(job), float(now))
        ran.append(job)
    assert ran == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_job_goes_to_the_slot_that_is_warm_for_it() -> None:
    """The network that a job needs is loaded where it was used last."""
    scheduler = make(TWO)
    scheduler.add(make_job("a", network="fitted", submitted=1))
    scheduler.add(make_job("b", network="vgg19", submitted=2))
    assert start(scheduler) == {"a": TWO[0], "b": TWO[1]}
    scheduler.resolve(finished("a"), 1.0)
    scheduler.resolve(finished("b"), 1.0)
    scheduler.add(make_job("c", network="vgg19"))
    assert start(scheduler) == {"c": TWO[1]}


def test_a_cold_slot_is_taken_before_one_that_is_warm_for_something_else() -> None:
    """What is warm is kept for the jobs that need it."""
    scheduler = make(TWO)
    run(scheduler, make_job("a", network="fitted"))
    scheduler.resolve(finished("a"), 1.0)
    scheduler.add(make_job("b", network="vgg19"))
    assert start(scheduler) == {"b": TWO[1]}


def test_every_slot_has_one_job_and_every_device_its_slots() -> None:
    """Three slots run three jobs; the fourth waits."""
    slots = [*TWO, Slot("cuda:0", 0)]
    scheduler = make(slots)
    for name in "abcd":
        scheduler.add(make_job(name))
    begun = start(scheduler)
    assert sorted(begun) == ["a", "b", "c"]
    assert set(begun.values()) == set(slots)
    assert start(scheduler) == {}
    assert list(scheduler.waiting) == ["d"]


def test_intake_stops_when_the_queue_is_full_except_for_what_goes_first() -> None:
    """A sidecar is claimed into a full queue only if it would be the very next job."""
    scheduler = make(jobs={"queue": 2})
    scheduler.add(make_job("a", priority=50))
    assert scheduler.admits(0)
    scheduler.add(make_job("b", priority=60))
    assert not scheduler.admits(60)
    assert scheduler.admits(61)


# Retries


def test_the_backoff_doubles_and_ends_with_the_attempts() -> None:
    """10 s, 20 s, 40 s, and the fourth failure is the last."""
    scheduler = make(jobs={"attempts": 4, "backoff": "10s"})
    scheduler.add(make_job("a"))
    now, delays = 0.0, []
    while True:
        assert start(scheduler, now) == {"a": CPU}
        resolution = scheduler.resolve(failed("a"), now)
        if resolution.decision is not Decision.RETRY:
            break
        delays.append(resolution.delay)
        scheduler.add(resolution.job.requeued(forgive=False), now + resolution.delay)
        assert start(scheduler, now + resolution.delay - 0.1) == {}
        now += resolution.delay
    assert delays == [10.0, 20.0, 40.0]
    assert resolution.decision is Decision.FAIL
    assert resolution.failure is not None
    assert resolution.failure.code == "worker_died"


def test_the_backoff_never_exceeds_an_hour() -> None:
    """The hundredth attempt would otherwise wait longer than the universe is old."""
    scheduler = make(jobs={"attempts": 100})
    run(scheduler, make_job("a", attempt=90))
    assert scheduler.resolve(failed("a"), 0.0).delay == 3600.0


@pytest.mark.parametrize("code", ["backend_failed", "picture_unreadable", "weights_missing"])
def test_an_error_that_will_not_pass_ends_the_job_at_once(code: str) -> None:
    """Trying a broken picture again is no use."""
    scheduler = make()
    run(scheduler, make_job("a"))
    resolution = scheduler.resolve(failed("a", code), 0.0)
    assert (resolution.decision, resolution.delay) == (Decision.FAIL, 0.0)


@pytest.mark.parametrize(
    "outcome",
    [
        failed("a", "disk_full"),
        failed("a", "cluster_lost"),
        failed("a", "device_failed", device_fault=True, at_start=True),
    ],
    ids=["disk_full", "cluster_lost", "start"],
)
def test_what_is_not_the_jobs_fault_uses_no_attempt(outcome: Outcome) -> None:
    """A full disk, a lost cluster, a worker that does not come up: for any number of tries."""
    scheduler = make(jobs={"attempts": 1}, workers={"failures": 10**6})
    job = make_job("a")
    for now in range(20):
        run(scheduler, job, float(now))
        resolution = scheduler.resolve(outcome, float(now))
        assert resolution.decision is Decision.REQUEUE
        job = resolution.job.requeued(forgive=True)
    assert job.attempt == 0


def test_a_job_that_fills_a_disk_waits_longer_each_time_and_then_begins_anew() -> None:
    """The wait is its own, and is short again once it has got through."""
    scheduler, job, delays = make(), make_job("a"), []
    for _ in range(8):
        run(scheduler, job, 0.0)
        delays.append(scheduler.resolve(failed("a", "disk_full"), 0.0).delay)
    assert delays == [10, 20, 40, 80, 160, 320, 600, 600]
    run(scheduler, job, 0.0)
    scheduler.resolve(failed("a"), 0.0)
    run(scheduler, job, 0.0)
    assert scheduler.resolve(failed("a", "disk_full"), 0.0).delay == 10


def test_a_full_disk_costs_an_attempt_where_all_that_the_job_needs_was_free() -> None:
    """It would fill any disk: it ends after its attempts."""
    scheduler, job = make(jobs={"attempts": 2}), make_job("a")
    decisions = []
    for _ in range(2):
        run(scheduler, job)
        resolution = scheduler.resolve(failed("a", "disk_full", had_room=True), 0.0)
        decisions.append(resolution.decision)
        job = resolution.job.requeued(forgive=False)
    assert decisions == [Decision.RETRY, Decision.FAIL]


def test_a_jobs_time_runs_from_the_moment_that_a_worker_took_it() -> None:
    """However long a worker takes to come up: that is neither the job's time nor a hang."""
    scheduler = make(workers={"stall": "50s"})
    scheduler.add(make_job("a", timeout=60.0))
    ((job, slot),) = scheduler.dispatch(0.0)
    scheduler.started(job.begun(), slot)
    assert list(scheduler.overdue(10**6)) == []
    assert scheduler.next_event(0.0) == float("inf")
    scheduler.begun("a", 1000.0)
    assert scheduler.next_event(1000.0) == 1050.0
    scheduler.progressed("a", 1040.0)
    assert list(scheduler.overdue(1059.0)) == []
    (running,) = scheduler.overdue(1060.0)
    assert running.forced_failure is not None
    assert running.forced_failure.code == "timed_out"


# Ends that somebody wants


def test_the_time_out_of_a_film_is_for_each_frame() -> None:
    """Each new frame begins anew; one that takes too long ends the job."""
    scheduler = make()
    run(scheduler, make_job("a", timeout=60.0, film=FilmSettings(kind="gif")), now=5.0)
    for frame in range(1, 4):
        scheduler.progressed("a", 50.0 * frame, frame)
        scheduler.progressed("a", 50.0 * frame + 10, frame)
        assert list(scheduler.overdue(50.0 * frame + 49)) == []
    assert [running.job.id for running in scheduler.overdue(210.0)] == ["a"]
    resolution = scheduler.resolve(failed("a", device_fault=True), 220.0)
    assert resolution.failure is not None
    assert resolution.failure.code == "timed_out"
    assert "a frame" in resolution.failure.message


def test_a_time_out_is_told_once_and_ends_the_job_whatever_its_worker_says() -> None:
    """The job ends as timed out, with the last words of its killed worker."""
    scheduler = make()
    run(scheduler, make_job("a", timeout=60.0), now=5.0)
    scheduler.progressed("a", 64.0)
    assert list(scheduler.overdue(64.9)) == []
    assert [running.job.id for running in scheduler.overdue(65.0)] == ["a"]
    assert list(scheduler.overdue(66.0)) == []
    resolution = scheduler.resolve(failed("a", device_fault=True), 70.0)
    assert resolution.decision is Decision.FAIL
    assert resolution.failure is not None
    assert (resolution.failure.code, resolution.failure.detail) == ("timed_out", "last words")
    assert scheduler.breakers["cpu"].failures == 0


def test_a_job_that_reports_nothing_is_hung_and_gets_another_attempt() -> None:
    """Progress keeps a job alive; without it the worker counts as hung, against its device."""
    scheduler = make(workers={"stall": "10s"}, jobs={"attempts": 2})
    run(scheduler, make_job("a"))
    scheduler.progressed("a", 9.0)
    assert list(scheduler.overdue(18.9)) == []
    assert [running.job.id for running in scheduler.overdue(19.0)] == ["a"]
    resolution = scheduler.resolve(failed("a", device_fault=True), 19.5)
    assert resolution.decision is Decision.RETRY
    assert resolution.failure is not None
    assert resolution.failure.code == "worker_hung"
    assert scheduler.breakers["cpu"].failures == 1
    scheduler.add(resolution.job, 0.0)
    start(scheduler, 30.0)
    assert list(scheduler.overdue(40.0))
    assert scheduler.resolve(failed("a", device_fault=True), 41.0).decision is Decision.FAIL


def test_a_cancelled_job_ends_as_cancelled() -> None:
    """Even if its worker had to be killed for it, which says nothing about the device."""
    scheduler = make()
    run(scheduler, make_job("a"))
    scheduler.cancel("a")
    resolution = scheduler.resolve(failed("a", device_fault=True), 1.0)
    assert resolution.decision is Decision.FAIL
    assert resolution.failure is not None
    assert resolution.failure.code == "cancelled"
    assert scheduler.breakers["cpu"].failures == 0


@pytest.mark.parametrize("ask", ["cancel", "stop"])
def test_a_job_that_finishes_after_all_is_published(ask: str) -> None:
    """The picture is there: nobody is served by throwing it away."""
    scheduler = make()
    run(scheduler, make_job("a"))
    getattr(scheduler, ask)("a")
    assert scheduler.resolve(finished("a"), 1.0).decision is Decision.PUBLISH


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(job="a", ending=Ending.STOPPED),
        failed("a", device_fault=True),
        failed("a", "backend_failed"),
    ],
    ids=["stopped", "killed", "failed"],
)
def test_a_stopped_job_is_put_back(outcome: Outcome) -> None:
    """Also if its worker was killed after the grace; the device is not blamed."""
    scheduler = make(jobs={"attempts": 1})
    run(scheduler, make_job("a"))
    scheduler.stop("a")
    assert list(scheduler.overdue(10**6)) == []
    assert scheduler.resolve(outcome, 1.0).decision is Decision.REQUEUE
    assert scheduler.breakers["cpu"].failures == 0


def test_a_restart_outlives_a_drain() -> None:
    """Whoever asked for a new start gets one, even if the daemon ends meanwhile."""
    scheduler = make()
    run(scheduler, make_job("a"))
    scheduler.stop("a", restart=True)
    scheduler.stop("a")
    resolution = scheduler.resolve(Outcome(job="a", ending=Ending.STOPPED), 1.0)
    assert resolution.decision is Decision.RESTART


def test_a_cancel_outlives_a_drain() -> None:
    """A cancelled job does not come back with the next start of the daemon."""
    scheduler = make()
    run(scheduler, make_job("a"))
    scheduler.cancel("a")
    scheduler.stop("a")
    resolution = scheduler.resolve(Outcome(job="a", ending=Ending.STOPPED), 1.0)
    assert resolution.decision is Decision.FAIL


def test_an_attempt_that_ends_unasked_is_a_bug_and_not_a_loop() -> None:
    """A worker that says `stopped` by itself must not have its job requeued for ever."""
    scheduler = make()
    run(scheduler, make_job("a"))
    resolution = scheduler.resolve(Outcome(job="a", ending=Ending.STOPPED), 1.0)
    assert resolution.decision is Decision.FAIL
    assert resolution.failure is not None
    assert resolution.failure.code == "internal_error"


# Devices


# Slots that come and go


def test_slots_that_come_are_used_and_slots_that_go_are_not() -> None:
    """What runs on a slot that is gone ends as ever."""
    scheduler = make([CPU])
    run(scheduler, make_job("beach"))
    new = Slot("studio2/gpu:0", 0)
    scheduler.set_slots([new])
    scheduler.add(make_job("pier"))
    assert start(scheduler) == {"pier": new}
    assert scheduler.resolve(finished("beach"), 1.0).decision is Decision.PUBLISH
    scheduler.add(make_job("dune"))
    assert start(scheduler) == {}


def test_a_device_that_is_gone_is_forgotten_with_its_last_job() -> None:
    """Nobody is to be told for ever that it is down."""
    near, far = Slot("near/gpu:0", 0), Slot("far/gpu:0", 0)
    scheduler = make([near, far])
    scheduler.add(make_job("a"))
    scheduler.add(make_job("b"))
    where = start(scheduler)
    scheduler.set_slots([near])
    assert set(scheduler.breakers) == {"near/gpu:0", "far/gpu:0"}
    lost = next(job for job, slot in where.items() if slot == far)
    scheduler.resolve(failed(lost, device_fault=True), 0.0)
    scheduler.set_slots([near])
    assert set(scheduler.breakers) == {"near/gpu:0"}


def test_without_slots_everything_is_down_and_nothing_starts() -> None:
    """Until there are some."""
    scheduler = make()
    scheduler.set_slots([])
    scheduler.add(make_job("beach"))
    assert start(scheduler) == {}
    assert scheduler.all_down
    assert scheduler.is_closed(0.0)
    scheduler.set_slots([CPU])
    assert not scheduler.all_down
    assert start(scheduler) == {"beach": CPU}


def test_a_device_that_stays_keeps_its_health() -> None:
    """Another that comes does not close its breaker."""
    scheduler = make(workers={"failures": 2})
    break_device(scheduler)
    scheduler.set_slots([CPU, Slot("studio2/gpu:0", 0)])
    assert scheduler.breakers["cpu"].is_open
    assert not scheduler.all_down


def break_device(scheduler: Scheduler, now: float = 0.0) -> Resolution:
    """Two jobs for which the CPU fails; with `failures: 2` that takes it down."""
    for name in ("x", "y"):
        run(scheduler, make_job(name), now)
        resolution = scheduler.resolve(failed(name, "device_failed", device_fault=True), now)
    return resolution


def test_a_device_goes_down_is_tried_by_one_job_and_comes_up() -> None:
    """Down for the cooldown, then one trial, and all slots again when it succeeds."""
    scheduler = make(TWO, workers={"failures": 2, "cooldown": "30s"})
    assert break_device(scheduler).device_down == 30.0
    assert scheduler.all_down
    for name in "abc":
        scheduler.add(make_job(name))
    assert start(scheduler, 29.9) == {}
    assert len(start(scheduler, 30.0)) == 1
    assert start(scheduler, 31.0) == {}
    resolution = scheduler.resolve(finished("a"), 32.0)
    assert resolution.device_up
    assert not scheduler.all_down
    assert len(start(scheduler, 32.0)) == 2


def test_a_device_is_tried_again_with_another_job_than_those_that_took_it_down() -> None:
    """A job that kills every worker would keep the good ones waiting; alone, it is the trial."""
    scheduler = make(workers={"failures": 2, "cooldown": "30s"}, jobs={"attempts": 9})
    for bad in ("bad", "worse"):
        scheduler.add(make_job(bad, priority=90))
        assert set(start(scheduler)) == {bad}
        scheduler.resolve(failed(bad, "device_failed", device_fault=True), 0.0)
    assert scheduler.breakers["cpu"].is_open
    scheduler.add(make_job("bad", priority=90))
    scheduler.add(make_job("worse", priority=90))
    scheduler.add(make_job("good"))
    assert set(start(scheduler, 31.0)) == {"good"}
    scheduler.resolve(failed("good", "cancelled"), 31.0)
    assert scheduler.breakers["cpu"].is_open, "it says nothing of the device"
    assert set(start(scheduler, 31.0)) == {"bad"}


def test_a_failed_trial_doubles_the_cooldown() -> None:
    """The device is left alone for longer each time."""
    scheduler = make(workers={"failures": 2, "cooldown": "30s"})
    break_device(scheduler)
    run(scheduler, make_job("a"), now=30.0)
    assert (
        scheduler.resolve(failed("a", "device_failed", device_fault=True), 31.0).device_down == 60.0
    )
    assert not scheduler.breakers["cpu"].admits(90.9)
    assert scheduler.breakers["cpu"].admits(91.0)


def test_a_trial_that_ends_without_a_word_about_the_device_makes_room_for_another() -> None:
    """A broken picture neither heals nor damns the device."""
    scheduler = make(workers={"failures": 2, "cooldown": "30s"})
    break_device(scheduler)
    run(scheduler, make_job("a"), now=30.0)
    resolution = scheduler.resolve(failed("a", "picture_unreadable"), 31.0)
    assert (resolution.device_down, resolution.device_up) == (None, False)
    run(scheduler, make_job("b"), now=31.0)


def die(scheduler: Scheduler, name: str) -> Resolution:
    """Run a job that loses its worker on the only slot."""
    run(scheduler, make_job(name))
    return scheduler.resolve(failed(name, device_fault=True), 0.0)


def test_a_backend_that_kills_every_worker_closes_no_device() -> None:
    """It has never done well: each of its jobs fails after its own attempts, and none waits."""
    scheduler = make(workers={"failures": 2}, jobs={"attempts": 1})
    verdicts = [die(scheduler, f"bad-{number}") for number in range(20)]
    assert {verdict.decision for verdict in verdicts} == {Decision.FAIL}
    assert {verdict.device_down for verdict in verdicts} == {None}
    run(scheduler, make_job("good"))


def test_where_a_backend_has_done_well_many_jobs_in_a_row_must_die_to_close_a_device() -> None:
    """Three times as many as of failures that are surely the device's; it may well be the jobs."""
    scheduler = make(workers={"failures": 2}, jobs={"attempts": 1})
    run(scheduler, make_job("good"))
    scheduler.resolve(finished("good"), 0.0)
    verdicts = [die(scheduler, f"bad-{number}") for number in range(6)]
    assert [verdict.device_down is None for verdict in verdicts] == [True] * 5 + [False]


def test_a_device_is_closed_where_what_dies_does_well_on_another() -> None:
    """Then it is the device."""
    gpu = Slot("cuda:0", 0)
    scheduler = make([CPU, gpu], workers={"failures": 2}, jobs={"attempts": 9})
    run(scheduler, make_job("good"))
    scheduler.resolve(finished("good"), 0.0)
    scheduler.set_slots([gpu])
    assert die(scheduler, "one").device_down is None
    assert die(scheduler, "two").device_down is not None


def test_a_job_that_dies_on_two_devices_closes_neither() -> None:
    """Though others like it do well: it is to blame itself."""
    gpu = Slot("cuda:0", 0)
    scheduler = make([CPU], workers={"failures": 3}, jobs={"attempts": 99})
    for device, name in ((CPU, "a"), (gpu, "b")):
        scheduler.set_slots([device])
        run(scheduler, make_job(name))
        scheduler.resolve(finished(name), 0.0)
    for number in range(20):
        scheduler.set_slots([(CPU, gpu)[number % 2]])
        for name in ("bad", "worse"):
            assert die(scheduler, name).device_down is None


def test_jobs_go_on_where_a_device_is_up() -> None:
    """The other device takes what the broken one cannot."""
    gpu = Slot("cuda:0", 0)
    scheduler = make([CPU], workers={"failures": 2})
    break_device(scheduler)
    scheduler.set_slots([CPU, gpu])
    assert not scheduler.all_down
    scheduler.add(make_job("a"))
    scheduler.add(make_job("b"))
    assert list(start(scheduler, 1.0).values()) == [gpu]


def test_a_job_goes_on_elsewhere_than_where_a_worker_was_lost() -> None:
    """On another node, if there is a place: one that died may be listed for a while."""
    slots = [Slot(f"{node}/gpu:{number}", 0) for node in ("near", "far") for number in range(2)]
    scheduler = make(slots)
    scheduler.add(make_job("a"))
    assert start(scheduler) == {"a": slots[0]}
    resolution = scheduler.resolve(failed("a", device_fault=True), 0.0)
    scheduler.add(resolution.job)
    assert start(scheduler) == {"a": slots[2]}
    for name in "bcd":
        scheduler.add(make_job(name))
    assert list(start(scheduler).values()) == [slots[3], slots[0], slots[1]]


def test_a_job_for_which_a_node_was_too_small_waits_for_another() -> None:
    """Though that one is warm for it, and the other busy; jobs behind it pass, and it is first."""
    small, large = Slot("small/gpu:0", 0), Slot("large/gpu:0", 0)
    scheduler = make([small, large])
    run(scheduler, make_job("neighbour", submitted=1.0), 0.0)
    (neighbour,) = (running.slot for running in scheduler.running.values())
    other = large if neighbour == small else small
    scheduler.add(make_job("beach"), avoided=frozenset({other.node}))
    assert start(scheduler) == {}
    scheduler.add(make_job("behind", submitted=2.0))
    assert start(scheduler) == {"behind": other}
    scheduler.resolve(Outcome(job="behind", ending=Ending.FINISHED), 1.0)
    scheduler.resolve(Outcome(job="neighbour", ending=Ending.FINISHED), 1.0)
    scheduler.add(make_job("last", submitted=3.0))
    assert start(scheduler, 1.0) == {"beach": neighbour, "last": other}


def test_a_node_that_was_too_small_is_better_than_none() -> None:
    """Where the others are gone or down: memory may be free by now."""
    small, large = Slot("small/gpu:0", 0), Slot("large/gpu:0", 0)
    scheduler = make([small, large], workers={"failures": 1})
    scheduler.add(make_job("pier"))
    assert set(start(scheduler).values()) == {small}
    scheduler.resolve(failed("pier", device_fault=True, at_start=True), 0.0)
    assert scheduler.breakers["small/gpu:0"].is_open
    scheduler.add(make_job("beach"), avoided=frozenset({"large"}))
    assert start(scheduler) == {"beach": large}
    resolution = scheduler.resolve(failed("beach", "out_of_memory"), 0.0)
    assert resolution.avoided == {"large"}
    scheduler.set_slots([small])
    scheduler.add(make_job("dune"), avoided=frozenset({"small"}))
    assert start(scheduler, 1000.0) == {"dune": small}


def test_nodes_that_were_too_small_are_remembered_from_attempt_to_attempt() -> None:
    """The third attempt goes to the third node; one that ends otherwise adds none."""
    slots = [Slot(f"node{number}/gpu:0", 0) for number in range(3)]
    scheduler = make(slots)
    job, avoided = make_job("beach"), frozenset[str]()
    for number, slot in enumerate(slots):
        scheduler.add(job, avoided=avoided)
        assert start(scheduler) == {"beach": slot}
        code = "out_of_memory" if number < 2 else "io_error"
        avoided = scheduler.resolve(failed("beach", code), 0.0).avoided
    assert avoided == {"node0", "node1"}


def test_new_settings_count_at_once_for_devices_too() -> None:
    """A reload changes the limit of failures and leaves the count."""
    scheduler = make(workers={"failures": 99})
    break_device(scheduler)
    scheduler.configure(Config.model_validate({"workers": {"failures": 3}}))
    run(scheduler, make_job("z"))
    resolution = scheduler.resolve(failed("z", "device_failed", device_fault=True), 0.0)
    assert resolution.device_down is not None


# When to look again


def test_nothing_is_due_in_the_past() -> None:
    """Whatever could not be done when it was due waits for an event: the loop must not spin."""
    scheduler = make(workers={"failures": 2, "cooldown": "30s", "stall": "50s"})
    assert scheduler.next_event(0.0) == float("inf")
    run(scheduler, make_job("a", timeout=100.0))
    assert scheduler.next_event(0.0) == 50.0
    scheduler.add(make_job("b"), not_before=7.0)
    assert scheduler.next_event(0.0) == 7.0
    assert scheduler.next_event(7.0) == 50.0
    list(scheduler.overdue(50.0))
    assert scheduler.next_event(50.0) == float("inf")


def test_a_device_that_is_down_is_due_after_its_pause() -> None:
    """Once, for a trial or for intake to look for one; and not while the trial runs."""
    scheduler = make(workers={"failures": 2, "cooldown": "30s"})
    break_device(scheduler)
    assert scheduler.next_event(0.0) == 30.0
    assert scheduler.is_closed(29.0)
    assert not scheduler.is_closed(30.0)
    assert scheduler.next_event(30.0) == float("inf")
    scheduler.add(make_job("a", timeout=1000.0))
    scheduler.add(make_job("b"))
    assert len(start(scheduler, 30.0)) == 1
    assert scheduler.is_closed(31.0)
    assert scheduler.next_event(30.0) == 930.0


class AnySequence(RuleBasedStateMachine):
    """Whatever happens in whatever order, no job is lost, doubled, or shares its slot."""

    def __init__(self) -> None:
        super().__init__()
        slots = [*TWO, Slot("cuda:0", 0)]
        sections = {
            "jobs": {"attempts": 2, "backoff": "3s", "queue": 3},
            "workers": {"failures": 2, "cooldown": "4s", "stall": "20s"},
        }
        self.scheduler = make(slots, **sections)
        self.now = 0.0
        self.open: set[str] = set()
        self.over: set[str] = set()

    @rule(priority=st.integers(0, 100))
    def add(self, priority: int) -> None:
        name = f"job-{len(self.open) + len(self.over)}"
        self.scheduler.add(make_job(name, priority=priority, submitted=self.now, timeout=30.0))
        self.open.add(name)

    @rule(seconds=st.floats(0.1, 40.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        list(self.scheduler.overdue(self.now))

    @rule(limit=st.integers(0, 3))
    def dispatch(self, limit: int) -> None:
        """The dispatcher may stop in the middle, because a disk is full."""
        for number, (job, slot) in enumerate(self.scheduler.dispatch(self.now)):
            if number >= limit:
                return
            self.scheduler.started(job.begun(), slot)

    @precondition(lambda self: self.scheduler.running)
    @rule(data=st.data(), what=st.sampled_from(["begun", "progress", "cancel", "stop", "restart"]))
    def ask(self, data: st.DataObject, what: str) -> None:
        job = data.draw(st.sampled_from(sorted(self.scheduler.running)))
        if what == "begun":
            self.scheduler.begun(job, self.now)
        elif what == "progress":
            self.scheduler.progressed(job, self.now)
        elif what == "cancel":
            self.scheduler.cancel(job)
        else:
            self.scheduler.stop(job, restart=what == "restart")

    @precondition(lambda self: self.scheduler.running)
    @rule(
        data=st.data(),
        ending=st.sampled_from(list(Ending)),
        code=st.sampled_from(["worker_died", "backend_failed", "disk_full", "device_failed"]),
        fault=st.booleans(),
        at_start=st.booleans(),
    )
    def settle(
        self, data: st.DataObject, ending: Ending, code: str, fault: bool, at_start: bool
    ) -> None:
        name = data.draw(st.sampled_from(sorted(self.scheduler.running)))
        outcome = Outcome(job=name, ending=ending)
        if ending is Ending.FAILED:
            outcome = failed(name, code, device_fault=fault or at_start, at_start=at_start)
        resolution = self.scheduler.resolve(outcome, self.now)
        assert resolution.job.id == name
        assert resolution.job.attempt <= 2
        if resolution.decision in {Decision.PUBLISH, Decision.FAIL}:
            self.open.remove(name)
            self.over.add(name)
        else:
            forgive = resolution.decision is not Decision.RETRY
            back = resolution.job.requeued(forgive=forgive)
            self.scheduler.add(back, self.now + resolution.delay)

    @precondition(lambda self: self.scheduler.waiting)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.scheduler.waiting)))
        assert self.scheduler.drop(name) is not None
        self.open.remove(name)
        self.over.add(name)

    @invariant()
    def each_job_is_in_one_place(self) -> None:
        waiting, running = set(self.scheduler.waiting), set(self.scheduler.running)
        assert not waiting & running
        assert waiting | running == self.open

    @invariant()
    def no_slot_has_two_jobs(self) -> None:
        slots = [running.slot for running in self.scheduler.running.values()]
        assert len(slots) == len(set(slots))

    @invariant()
    def nothing_is_due_in_the_past(self) -> None:
        assert self.scheduler.next_event(self.now) > self.now

    def teardown(self) -> None:
        """And in the end everything can be worked off."""
        for job in list(self.scheduler.running):
            self.scheduler.resolve(finished(job), self.now)
            self.open.remove(job)
        for _ in range(1000):
            if not self.scheduler.waiting:
                break
            self.now += 1000.0
            for job in start(self.scheduler, self.now):
                self.scheduler.resolve(finished(job), self.now)
                self.open.remove(job)
        assert not self.open


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=60, stateful_step_count=40)
