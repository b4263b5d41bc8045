"""Waits double from the first to the longest, however often something fails."""

from __future__ import annotations

import pytest

from nstd.system.backoff import backoff


def test_waits_double_up_to_the_longest() -> None:
    """The first failure waits for the first time."""
    assert [backoff(failures, 5.0, 60.0) for failures in range(1, 7)] == [5, 10, 20, 40, 60, 60]


@pytest.mark.parametrize("failures", [100, 1100, 10**6])
def test_a_failure_that_lasts_for_weeks_overflows_nothing(failures: int) -> None:
    """A full disk, tried once a minute, fails more than a thousand times in a day."""
    assert backoff(failures, 5.0, 60.0) == 60.0


def test_a_first_wait_of_nothing_stays_nothing() -> None:
    """A config may say so."""
    assert backoff(9, 0.0, 60.0) == 0.0
