"""Styles that take turns: their weights at each time, and times that do not fit together."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tables import table

from nstd.documents.crossfade import Crossfade, Span

FADE = Crossfade([Span("a.jpg", end=4), Span("b.jpg", begin=3)])


def at(fade: Crossfade, *times: float, last: float = 10) -> list[list[float]]:
    """The weights at some times."""
    return [[round(weight, 6) for weight in fade.weights(time, last)] for time in times]


def test_one_style_fades_into_the_other_over_their_overlap() -> None:
    """Linearly, and each is alone outside of it."""
    assert at(FADE, 0, 3, 3.25, 3.5, 4, 9) == [
        [1, 0],
        [1, 0],
        [0.75, 0.25],
        [0.5, 0.5],
        [0, 1],
        [0, 1],
    ]
    assert FADE.change(0, 3, 10) == 0
    assert FADE.change(3, 3.25, 10) == pytest.approx(0.25)
    assert FADE.change(0, 9, 10) == 1


def test_styles_without_times_are_a_mix_that_never_changes() -> None:
    """As in a picture."""
    mix = Crossfade([Span("a.jpg", weight=3), Span("b.jpg")])
    assert at(mix, 0, 5) == [[3, 1], [3, 1]]
    assert not mix.is_moving
    assert FADE.is_moving


def test_without_an_overlap_the_change_is_at_once() -> None:
    """A style ends just before its end, and the next one has all from its beginning on."""
    cut = Crossfade([Span("a.jpg", end=4), Span("b.jpg", begin=4)])
    assert at(cut, 3.99, 4) == [[1, 0], [0, 1]]


def test_weights_multiply_and_a_mix_fades_as_one() -> None:
    """Styles with the same times are one turn."""
    fade = Crossfade([Span("a", end=4, weight=3), Span("b", end=4), Span("c", begin=2, weight=2)])
    assert at(fade, 0, 3, 5) == [[3, 1, 0], [1.5, 0.5, 1], [0, 0, 2]]


def test_a_fade_without_an_end_ends_with_the_last_frame() -> None:
    """Whatever the length of the film."""
    fade = Crossfade([Span("a"), Span("b", begin=2)])
    assert at(fade, 2, 6, 10) == [[1, 0], [0.5, 0.5], [0, 1]]
    assert at(fade, 2, 3, last=3) == [[1, 0], [0, 1]]
    assert at(fade, 0, last=0) == [[1, 0]]


def test_regions_take_turns_for_themselves() -> None:
    """The style of the ground stays while that of the sky changes."""
    fade = Crossfade(
        [
            Span("a", end=4, region="sky"),
            Span("b", begin=2, region="sky"),
            Span("c", region="ground"),
        ]
    )
    assert at(fade, 0, 3, 9) == [[1, 0, 1], [0.5, 0.5, 1], [0, 1, 1]]
    assert fade.change(0, 3, 9) == pytest.approx(0.5)


def test_a_style_may_come_back() -> None:
    """Named once more."""
    fade = Crossfade([Span("a", end=2), Span("b", 0, 4), Span("a", begin=2)])
    assert at(fade, 0, 1, 2, 3, 4) == [
        [1, 0, 0],
        [0.5, 0.5, 0],
        [0, 1, 0],
        [0, 0.5, 0.5],
        [0, 0, 1],
    ]


@table(
    ("spans", "complaint"),
    [
        ([("a", 2)], "there is no style from 0s to 2s"),
        ([("a", 0, 2), ("b", 3)], "there is no style from 2s to 3s"),
        ([("a", 0, 2), ("b", 0.5, 1)], "b begins and ends while a runs"),
        ([("a",), ("b", 2, 4)], "say with `to` where a ends"),
        ([("a", 4, 3)], "a: from 4s, to 3s: it ends before it begins"),
        ([("a",), ("b", 1, 2, 1.0, "sky.png")], "no style in the region sky.png from 0s to 1s"),
    ],
)
def test_times_that_do_not_fit_are_told(spans: list[tuple[Any, ...]], complaint: str) -> None:
    """With the gap, or the styles."""
    (only,) = Crossfade([Span(*span) for span in spans]).problems()
    assert complaint in only


def test_a_gap_at_the_end_depends_on_the_film() -> None:
    """It is one if a frame is shown in it."""
    fade = Crossfade([Span("a", end=4)])
    assert not list(fade.problems())
    assert list(fade.gaps_until(3.96)) == []
    assert list(fade.gaps_until(4)) == ["there is no style from 4s to the end of the film"]


spans = st.lists(
    st.tuples(st.integers(0, 12), st.none() | st.integers(1, 14), st.sampled_from([None, "sky"])),
    min_size=1,
    max_size=6,
)


@given(spans)
def test_there_is_a_style_at_each_time_of_a_film_that_is_not_refused(
    drawn: list[tuple[int, int | None, str | None]],
) -> None:
    """In each region, and nothing jumps but where styles follow one another without an overlap."""
    fade = Crossfade([Span("a", begin, end, 1, region) for begin, end, region in drawn])
    last = 15.0
    if list(fade.problems()) or list(fade.gaps_until(last)):
        return
    for step in range(61):
        weights = fade.weights(step / 4, last)
        for region in {each[2] for each in drawn}:
            own = [w for w, each in zip(weights, drawn, strict=True) if each[2] == region]
            assert sum(own) > 0
            assert all(0 <= weight <= 1 for weight in own)
    for one, other in itertools.pairwise(step / 4 for step in range(61)):
        assert 0 <= fade.change(one, other, last) <= 1 + 1e-9
