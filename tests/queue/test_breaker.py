"""The circuit breaker of one device, on a clock of the test's own."""

from __future__ import annotations

from nstd.documents.settings import WorkerSettings
from nstd.queue.breaker import LONGEST, Breaker


def make(failures: int = 3, cooldown: float = 10.0) -> Breaker:
    return Breaker(WorkerSettings(failures=failures, cooldown=cooldown))


def opened(now: float = 0.0) -> Breaker:
    """A breaker that has just opened for ten seconds."""
    breaker = make(failures=2)
    breaker.failure("a", now)
    assert breaker.failure("b", now) == 10.0
    return breaker


def test_failures_of_several_jobs_in_a_row_open_it() -> None:
    """The third failure, by the second job, takes the device down for the cooldown."""
    breaker = make()
    assert breaker.failure("a", 0.0) is None
    assert breaker.failure("a", 1.0) is None
    assert breaker.failure("b", 2.0) == 10.0
    assert breaker.is_open
    assert not breaker.admits(11.9)
    assert breaker.admits(12.0)


def test_one_job_alone_never_opens_it() -> None:
    """A job that kills its worker again and again is to blame itself."""
    breaker = make()
    assert [breaker.failure("a", now) for now in range(50)] == [None] * 50
    assert breaker.admits(50.0)


def test_a_worker_that_does_not_start_is_the_devices_fault() -> None:
    """Failures at the start open it even if it was always the same job that waited."""
    breaker = make()
    assert [breaker.failure("a", 0.0, at_start=True) for _ in range(3)] == [None, None, 10.0]


def test_a_success_in_between_starts_the_count_again() -> None:
    """Only failures in a row count, and so do only their jobs."""
    breaker = make(failures=2)
    breaker.failure("a", 0.0)
    assert not breaker.success()
    assert breaker.failure("b", 1.0) is None
    assert breaker.failures == 1


def test_one_job_tries_a_device_that_is_down() -> None:
    """While the trial runs, nothing else is let through."""
    breaker = opened()
    breaker.start("c")
    assert not breaker.admits(100.0)
    breaker.release("c")
    assert breaker.admits(100.0)


def test_a_trial_that_succeeds_closes_it() -> None:
    """The device is up again, and the next opening lasts no longer than the first."""
    breaker = opened()
    breaker.start("c")
    assert breaker.success()
    assert not breaker.is_open
    assert breaker.admits(0.0)
    breaker.failure("a", 20.0)
    assert breaker.failure("b", 20.0) == 10.0


def test_each_failed_trial_doubles_the_pause_up_to_a_limit() -> None:
    """10, 20, 40 ... seconds and never more than ten minutes, however long it goes on."""
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(2000):
        assert breaker.retry_at is not None
        now = breaker.retry_at
        breaker.start("c")
        pauses.append(breaker.failure("c", now))
    assert pauses[:6] == [20.0, 40.0, 80.0, 160.0, 320.0, 600.0]
    assert set(pauses[5:]) == {LONGEST}


def test_jobs_that_ran_when_it_opened_do_not_lengthen_its_pause() -> None:
    """A device with four slots dies once, not four times."""
    breaker = opened(now=0.0)
    assert breaker.failure("c", 0.5) is None
    assert breaker.failure("d", 0.6) is None
    assert breaker.retry_at == 10.0


def test_the_end_of_another_job_does_not_end_the_trial() -> None:
    """A job of before says nothing about the trial that runs."""
    breaker = opened()
    breaker.start("c")
    breaker.release("old")
    assert breaker.trial == "c"
