"""What changes from frame to frame, without any frame."""

from __future__ import annotations

from typing import Any

import pytest

from nstd.documents.film import FilmSettings
from nstd.errors import SidecarError
from nstd.executors.worker.film_schedule import FilmSchedule
from nstd.queue.job import Input, Job

TIMES = [number / 10 for number in range(60)]


def job(*times: tuple[float | None, float | None], kind: str = "still", **options: Any) -> Job:
    """A job whose styles run from and to these times."""
    styles = [
        Input(
            role="style",
            style=number,
            source=f"{number}.png",
            file="",
            sha256="",
            bytes=1,
            begin=begin,
            end=end,
        )
        for number, (begin, end) in enumerate(times)
    ]
    return Job(
        id="20261128-220000-00000a",
        name="clip",
        folder="",
        sidecar="clip.yaml",
        options=options,
        film=FilmSettings(kind=kind),
        inputs=tuple(styles),
        submitted=0.0,
        claimed=0.0,
    )


def test_a_slow_fade_moves_in_each_frame() -> None:
    """However little is changed by one; what follows it is soon the same."""
    slow = FilmSchedule(job((None, 5), (1, None)), [time / 2 for time in range(1000)])
    assert not any(slow.is_settled(index) for index in (3, 5, 9, 10))
    fine = FilmSchedule(job((None, 5), (1, None)), [time / 300 for time in range(1800)])
    assert fine.is_settled(299)
    assert not any(fine.is_settled(index) for index in range(302, 1500))
    assert fine.is_settled(1502)


def test_frames_that_stay_are_not_counted_as_work_where_nothing_moves() -> None:
    """Those of a picture; in a film, each frame may move."""
    fade = (None, 2.0), (1.0, None)
    still, film = (FilmSchedule(job(*fade, kind=kind), TIMES) for kind in ("still", "gif"))
    assert film.left(0) == 60
    assert 11 <= still.left(0) <= 20
    assert still.left(40) == 0
    assert FilmSchedule(job((None, None)), TIMES).left(0) == 1


def test_the_table_has_what_changes_alone() -> None:
    """No columns for a film in which nothing does."""
    assert FilmSchedule(job((None, None), (None, None)), TIMES).columns() == {}
    columns = FilmSchedule(job((None, None), strength={"0s": 0, "1s": 1}), TIMES).columns()
    assert list(columns) == ["strength"]
    assert columns["strength"][:3] == pytest.approx([0, 0.1, 0.2])


def test_times_after_the_end_are_noted_and_gaps_refused() -> None:
    """Each with its place."""
    schedule = FilmSchedule(job((None, 9), (7, None), strength={"0s": 0, "1m": 1}), TIMES)
    assert schedule.notes(6.0) == (
        "the film ends at 6s, before to 9s of 0.png, from 7s of 1.png, strength at 1m",
    )
    assert schedule.notes(60.0) == ()
    with pytest.raises(SidecarError, match="there is no style from 5s to the end of the film"):
        FilmSchedule(job((None, 5)), TIMES)
