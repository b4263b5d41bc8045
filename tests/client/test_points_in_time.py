"""Points in time that people give on the command line."""

from __future__ import annotations

import pytest
from support.berlin import at

from nstd.client.points_in_time import parse_point

pytestmark = pytest.mark.usefixtures("berlin")


@pytest.mark.parametrize(
    ("text", "now", "meant"),
    [
        ("18:00", "2026-11-23 12:00", "2026-11-23 18:00"),
        ("8:00", "2026-11-23 12:00", "2026-11-24 08:00"),
        ("12:00", "2026-11-23 12:00", "2026-11-24 12:00"),
        ("2026-12-01 08:00", "2026-11-23 12:00", "2026-12-01 08:00"),
        ("2026-12-01T08:00", "2026-11-23 12:00", "2026-12-01 08:00"),
        ("2026-12-01", "2026-11-23 12:00", "2026-12-01 00:00"),
        ("02:30", "2026-03-28 23:00", "2026-03-29 03:30"),  # an hour that is skipped
        ("18:00", "2026-03-28 20:00", "2026-03-29 18:00"),
    ],
)
def test_a_time_is_the_next_one_of_that_name(text: str, now: str, meant: str) -> None:
    """Today or tomorrow, by the clock on the wall; or the one that is named in full."""
    assert parse_point(text, at(now)) == at(meant)


def test_of_an_hour_that_comes_twice_the_next_one_is_meant() -> None:
    """On 25 October 03:00 is 02:00 again: before, the first; between the two, the second."""
    assert parse_point("02:30", at("2026-10-25 01:00")) == at("2026-10-25 02:30")
    assert parse_point("02:30", at("2026-10-25 02:45")) == at("2026-10-25 02:30", fold=1)
    assert parse_point("02:30", at("2026-10-25 02:45", fold=1)) == at("2026-10-26 02:30")


@pytest.mark.parametrize("text", ["", "soon", "25:00", "18", "18:00:00", "2026-13-01", "2h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """With how it is written."""
    with pytest.raises(ValueError, match="write it like 18:00"):
        parse_point(text, 0.0)


def test_a_time_that_has_passed_is_refused() -> None:
    """Nobody means that."""
    with pytest.raises(ValueError, match="2026-01-01 has passed"):
        parse_point("2026-01-01", at("2026-11-23 12:00"))
