"""Ramps: options that change in a film."""

from __future__ import annotations

from typing import Any

import pytest
from support.tables import table

from nstd.documents.ramp import Ramp, options_at, ramps_of


def test_a_ramp_is_linear_between_its_points_and_held_outside() -> None:
    """Its points may be in any order."""
    ramp = Ramp.of({"5s": 0.9, "1s": 0.1, "1m": 0})
    assert [ramp.at(time) for time in (0, 1, 3, 5, 60, 99)] == pytest.approx(
        [0.1, 0.1, 0.5, 0.9, 0, 0]
    )


@table(
    ("points", "complaint"),
    [
        ({"0s": 0.2, "soon": 0.9}, "not a duration: 'soon'"),
        ({"0s": "0.2"}, "expected a number at 0s"),
        ({"0s": True}, "expected a number at 0s"),
        ({"1s": 0.2, "1000ms": 0.9}, "two values at 1s"),
    ],
)
def test_what_is_no_ramp_is_told(points: dict[str, Any], complaint: str) -> None:
    """With its point."""
    with pytest.raises(ValueError, match=complaint):
        Ramp.of(points)


def test_the_other_options_stay_as_they_are() -> None:
    """A mapping that a plug-in takes is no ramp, either."""
    options = {"strength": {"0s": 0.2, "4s": 1}, "network": "fixed", "seed": 7}
    assert options_at(options, ramps_of(options), 1.0) == options | {"strength": 0.4}
    assert ramps_of({"strength": {"light": 1, "dark": 2}, "style_weight": {"0s": 1}}) == {}
