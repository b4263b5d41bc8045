"""What lasts is told once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nstd.logs import throttle
from nstd.logs.throttle import Throttle


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the throttle, in a list of one."""
    now = [1000.0]
    monkeypatch.setattr(throttle, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_what_lasts_is_told_once() -> None:
    """And again when it changes, also back to what it was."""
    throttle = Throttle()
    assert [throttle.is_new("a", what) for what in "xxyyx"] == [True, False, True, False, True]
    assert throttle.is_new("b", "x")


def test_what_was_gone_for_a_look_is_news_when_it_comes_back() -> None:
    """Each look mentions all that is the case."""
    throttle = Throttle()
    assert throttle.is_new("a")
    throttle.begin()
    assert not throttle.is_new("a")
    throttle.begin()
    throttle.begin()
    assert throttle.is_new("a")


def test_what_lasts_for_long_is_told_again(clock: list[float]) -> None:
    """After the given time, and then after that time once more."""
    throttle, told = Throttle(again=600.0), []
    for _ in range(21):
        told.append(throttle.is_new("a"))
        clock[0] += 60
    assert [number for number, is_new in enumerate(told) if is_new] == [0, 10, 20]
