"""The hours in which jobs may start: how they are written, and when they are."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.berlin import BERLIN, at

from nstd.documents.config import load_config
from nstd.documents.schedule import Schedule
from nstd.errors import ConfigError

pytestmark = pytest.mark.usefixtures("berlin")

NIGHTS = ["mon-fri 19:00-07:00", "sat-sun"]


def shown(when: float | None) -> str:
    """What a clock on the wall shows, with the zone."""
    assert when is not None
    return f"{datetime.fromtimestamp(when, BERLIN):%a %H:%M %Z}"


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2026-11-23 18:59", False),  # a Monday
        ("2026-11-23 19:00", True),
        ("2026-11-24 06:59", True),
        ("2026-11-24 07:00", False),
        ("2026-11-28 06:59", True),  # Saturday: the window of Friday and the whole day
        ("2026-11-28 07:00", True),
        ("2026-11-29 23:59", True),
        ("2026-11-30 00:00", False),  # Monday: Sunday has no window that goes over midnight
        ("2026-11-30 06:59", False),
    ],
)
def test_nights_and_weekends_are_open(when: str, is_open: bool) -> None:
    """To the minute; a night belongs to the day on which it begins."""
    assert Schedule(NIGHTS).is_open(at(when)) is is_open


def test_without_hours_jobs_may_always_start() -> None:
    """As before there was a schedule."""
    assert Schedule([]).is_open(at("2026-11-24 12:00"))
    assert Schedule([]).next_opening(5.0) == 5.0


@pytest.mark.parametrize(
    ("when", "opens"),
    [
        ("2026-11-24 12:34:56", "Tue 19:00 CET"),
        ("2026-11-30 00:00", "Mon 19:00 CET"),
        ("2026-11-28 12:00", "Sat 12:00 CET"),  # open already
        ("2026-03-27 08:00", "Fri 19:00 CET"),
        ("2026-03-30 08:00", "Mon 19:00 CEST"),
    ],
)
def test_when_it_opens_next(when: str, opens: str) -> None:
    """In the time of the place."""
    assert shown(Schedule(NIGHTS).next_opening(at(when))) == opens


def test_a_night_is_an_hour_shorter_when_the_clocks_are_set_forward() -> None:
    """29 March: 02:00 is 03:00. The hours are those on the wall, before and after."""
    schedule = Schedule(["sat 22:00-06:00"])
    start, end = at("2026-03-28 22:00"), at("2026-03-29 06:00")
    assert end - start == 7 * 3600
    assert not schedule.is_open(start - 1)
    assert all(schedule.is_open(start + minute * 60) for minute in range(7 * 60))
    assert not schedule.is_open(end)


def test_a_night_is_an_hour_longer_when_the_clocks_are_set_back() -> None:
    """25 October: 03:00 is 02:00 again."""
    schedule = Schedule(["sat 22:00-06:00"])
    start, end = at("2026-10-24 22:00"), at("2026-10-25 06:00")
    assert end - start == 9 * 3600
    assert all(schedule.is_open(start + minute * 60) for minute in range(9 * 60))
    assert not schedule.is_open(end)


def test_hours_that_begin_in_the_hour_that_is_skipped_begin_after_it() -> None:
    """And hours that lie in it do not come on that day, but a week later."""
    eve = at("2026-03-28 12:00")
    assert shown(Schedule(["sun 02:30-04:00"]).next_opening(eve)) == "Sun 03:00 CEST"
    within = Schedule(["sun 02:10-02:50"]).next_opening(eve)
    assert within == at("2026-04-05 02:10")


def test_an_hour_that_comes_twice_counts_twice() -> None:
    """02:00 to 02:30 is open before the clocks are set back, and after."""
    schedule = Schedule(["sun 01:30-02:30"])
    assert schedule.is_open(at("2026-10-25 02:15"))
    assert not schedule.is_open(at("2026-10-25 02:45"))
    assert schedule.next_opening(at("2026-10-25 02:45")) == at("2026-10-25 02:00", fold=1)
    assert not schedule.is_open(at("2026-10-25 02:30", fold=1))


@given(st.integers(0, 2**31), st.sampled_from([NIGHTS, ["22:00-06:00"], ["fri-mon 08:15-24:00"]]))
def test_the_next_opening_is_the_first(when: int, windows: list[str]) -> None:
    """It is open then, and closed a minute earlier, unless it was open already."""
    schedule = Schedule(windows)
    opening = schedule.next_opening(when)
    assert opening is not None
    assert schedule.is_open(opening)
    assert opening == when or (when < opening and not schedule.is_open(opening - 60))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Mon-Fri 7:00-9:00", "mon,tue,wed,thu,fri 07:00-09:00"),
        ("monday - friday 7:00 - 9:00", "mon-fri 07:00-09:00"),
        ("fri-mon", "fri,sat,sun,mon"),
        ("sun 22:00-24:00", "sunday 22:00-00:00"),
        ("20:00-06:00", "mon-sun 20:00-06:00"),
    ],
)
def test_windows_may_be_written_in_several_ways(text: str, same: str) -> None:
    """With whole names, with spaces, over the end of the week, without days."""
    one, other = Schedule([text]), Schedule([same])
    start = at("2026-11-23 00:00")
    minutes = [start + 60 * minute for minute in range(7 * 24 * 60)]
    assert [one.is_open(each) for each in minutes] == [other.is_open(each) for each in minutes]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nights", "2:14: schedule: no such day: 'nights'; write mon, tue"),
        ("mo-fri", "no such day: 'mo'"),
        ("mon 25:00-26:00", "no such time: '25:00'; write it like 07:30, up to 24:00"),
        ("mon 19:00-07:60", "no such time: '07:60'"),
        ("mon 07:00-07:00", "has no length"),
        ("mon 19:00", "expected hours like 'mon-fri 19:00-07:00', 'sat-sun' or '22:00-06:00', got"),
        ("''", "expected hours like"),
    ],
)
def test_wrong_hours_are_refused_with_their_place(tmp_path: Path, text: str, words: str) -> None:
    """With line and column."""
    path = tmp_path / "config.yaml"
    path.write_text(f"log: {{level: info}}\nschedule: [  {text}, sat]\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert words in caught.value.message
    assert f"{path}:2:14: schedule: " in caught.value.message


def test_one_window_needs_no_list(tmp_path: Path) -> None:
    """`schedule: sat-sun`, and quotes are not needed."""
    path = tmp_path / "config.yaml"
    path.write_text("schedule: mon-fri 19:00-07:00\n")
    assert load_config(path).schedule == ["mon-fri 19:00-07:00"]
