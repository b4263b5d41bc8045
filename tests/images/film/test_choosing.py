"""Frames are chosen by their numbers and times, and a film is held to its limits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from support.films import LIMITS, even, make_animation, make_film, make_folder, opened

from nstd.errors import PictureError
from nstd.images.film.model import FrameChoice

F = Fraction


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames at 24 in a second."""
    folder = tmp_path_factory.mktemp("film")
    return make_film(folder / "a.mp4", even(12, 24), last=F(1, 24))


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        (FrameChoice(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (FrameChoice(first=3, last=6), [3, 4, 5, 6]),
        (FrameChoice(first=11, last=400), [11, 12]),
        (FrameChoice(every=5), [1, 6, 11]),
        (FrameChoice(first=2, last=9, every=3), [2, 5, 8]),
        (FrameChoice(fps=F(12)), [1, 3, 5, 7, 9, 11]),
        (FrameChoice(fps=F(8)), [1, 4, 7, 10]),
        (FrameChoice(fps=F(10)), [1, 3, 6, 8, 11]),
        (FrameChoice(fps=F(60)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (FrameChoice(first=5, fps=F(12)), [5, 7, 9, 11]),
    ],
)
def test_the_frames_that_were_asked_for_are_chosen(
    film: Path, choice: FrameChoice, numbers: list[int]
) -> None:
    """Each keeps its time, and is shown until the next one; the last one to the end."""
    with opened(film, choice) as found:
        assert [moment.number for moment in found.moments] == numbers
        assert [moment.time for moment in found.moments] == [F(each - 1, 24) for each in numbers]
        ends = [moment.time + moment.duration for moment in found.moments]
        assert ends[:-1] == [moment.time for moment in found.moments[1:]]
        last = min(choice.last or 12, 12)
        assert ends[-1] == F(last, 24)
        assert [frame.moment for frame in found.frames()] == list(found.moments)


@pytest.mark.parametrize(
    ("times", "numbers"),
    [
        # the moments are 0, 0.1, 0.2 ...
        ([F(0), F(8, 100), F(14, 100), F(2, 10), F(31, 100)], [1, 2, 4, 5]),
        ([F(0), F(1, 100), F(97, 1000), F(104, 1000), F(1, 2)], [1, 3, 4, 5]),
        # milliseconds of a film of ten frames a second, which some programs round down
        ([F(0), F(99, 1000), F(199, 1000), F(299, 1000)], [1, 2, 3, 4]),
    ],
)
def test_of_uneven_frames_the_nearest_are_taken(
    tmp_path: Path, times: list[Fraction], numbers: list[int]
) -> None:
    path = make_film(tmp_path / "a.mkv", times, "mpeg4", last=F(1, 100))
    with opened(path, FrameChoice(fps=F(10))) as found:
        assert [moment.number for moment in found.moments] == numbers


def test_a_choice_of_nothing_is_refused(film: Path) -> None:
    with pytest.raises(PictureError, match="only 12 frames") as caught:
        opened(film, FrameChoice(first=13))
    assert caught.value.code == "picture_refused"
    assert "output.frames" in caught.value.hint


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "shot"])
@pytest.mark.parametrize(
    ("limit", "most", "said", "key"),
    [
        ("frames", 5, "6 frames", "film_frames"),
        ("seconds", 0.1, "more than the limit of 0.1 s", "film_seconds"),
        ("pixels", 3000, "64 x 48 pixels", "film_pixels"),
        ("bytes", 100, "more than the limit of 100B", "film_bytes"),
    ],
)
def test_a_film_beyond_a_limit_is_refused(
    tmp_path: Path, name: str, limit: str, most: float, said: str, key: str
) -> None:
    """The hint names the limit in the config."""
    path = tmp_path / name
    if name == "shot":
        make_folder(path, 6, size=(64, 48))
    elif name == "a.gif":
        make_animation(path, [40] * 6, size=(64, 48))
    else:
        make_film(path, 6)
    limits: dict[str, Any] = {limit: most}
    with pytest.raises(PictureError) as caught:
        opened(path, limits=replace(LIMITS, **limits))
    assert caught.value.code == "picture_refused"
    if (name, limit) == ("shot", "pixels"):
        said = "shot/x000.png: more than the limit of 3,000 pixels"
    assert said in caught.value.message
    assert f"limits.{key}" in caught.value.hint
    if limit in ("frames", "seconds"):
        chosen = FrameChoice(first=2, last=4 if limit == "frames" else 3)
        opened(path, chosen, limits=replace(LIMITS, **limits)).close()


def test_only_what_is_chosen_is_decoded(tmp_path: Path) -> None:
    """The rest may be broken: nobody asked for it."""
    path = make_film(tmp_path / "a.mkv", 40, "mpeg4")
    data = bytearray(path.read_bytes())
    for at in range(len(data) * 3 // 4, len(data) - 200, 3):
        data[at] ^= 0x55
    path.write_bytes(data)
    ticks: list[None] = []
    with opened(path, FrameChoice(last=3), tick=lambda: ticks.append(None)) as film:
        assert len(list(film.frames())) == 3
    assert len(ticks) == 4


def test_whoever_reads_can_stop_it_at_any_frame(film: Path) -> None:
    """An exception of `tick` ends the opening."""
    ticks: list[None] = []

    def tick() -> None:
        ticks.append(None)
        if len(ticks) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(film, tick=tick)
    assert len(ticks) == 4
