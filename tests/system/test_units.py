"""Durations and sizes, from text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import table

from nstd.system.units import counted, format_duration, format_size, parse_duration, parse_size


@table(
    ("text", "seconds"),
    [("500ms", 0.5), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5h", 5400), ("7d", 604800)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """A duration is the sum of its parts, in seconds."""
    assert parse_duration(text) == seconds


@table(
    ("text", "size"),
    [
        ("0", 0),
        ("17B", 17),
        ("500kB", 500_000),
        ("500KB", 500_000),
        ("1.5KiB", 1536),
        ("64MiB", 64 * 2**20),
        ("2 GiB", 2**31),
        ("1TB", 10**12),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    """Prefixes with `i` are powers of 1024, the others of 1000."""
    assert parse_size(text) == size


@table("text", ["", "30", "m", "30 m", "-5s", "1e3s", "nans", "1:30", "٣s", "5S"])
def test_other_durations_are_refused(text: str) -> None:
    """What is no duration is refused, with an example of one."""
    with pytest.raises(ValueError, match="write it like 90s"):
        parse_duration(text)


@table("text", ["", "B", "5 bytes", "-1kB", "1e3", "5gib", "٣kB", "9" * 400])
def test_other_sizes_are_refused(text: str) -> None:
    """What is no size is refused, with an example of one."""
    with pytest.raises(ValueError, match="write it like 500kB"):
        parse_size(text)


@table(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "250ms"),
        (5, "5s"),
        (59.9996, "1m"),
        (5400, "1h30m"),
        (86400, "1d"),
        (90061.5, "1d1h1m1.5s"),
        (0.9999, "1s"),
    ],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    """A duration has its usual spelling, to the millisecond."""
    assert format_duration(seconds) == text


@table(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (1536, "1.5KiB"),
        (2**20 - 1, "1MiB"),
        (512 * 2**20, "512MiB"),
        (3 * 2**40, "3TiB"),
    ],
)
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    """A size has the largest unit that gives at least one."""
    assert format_size(size) == text


@given(st.integers(0, 10**12))
def test_durations_survive_the_way_there_and_back(milliseconds: int) -> None:
    """Any number of milliseconds reads back as it was."""
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 1023), st.integers(0, 4))
def test_whole_sizes_survive_the_way_there_and_back(number: int, power: int) -> None:
    """Any whole number of a unit reads back as it was."""
    size = number * 1024**power
    assert parse_size(format_size(size)) == size


@given(st.text(max_size=60) | st.from_regex(r"[0-9.]+[a-zA-Z]*", fullmatch=True))
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    """Readers either give a finite number or say ValueError."""
    for parse in (parse_duration, parse_size):
        try:
            assert 0 <= parse(text) < float("inf")
        except ValueError as error:
            assert "write it like" in str(error)


def test_one_is_one() -> None:
    """Counts have their singular."""
    assert [counted(n, "job") for n in (0, 1, 2)] == ["0 jobs", "1 job", "2 jobs"]
    assert counted(1, "picture is", "pictures are") == "1 picture is"
    assert counted(3, "picture is", "pictures are") == "3 pictures are"
