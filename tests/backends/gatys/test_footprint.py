"""Memory is known before it is used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.gatys import photograph, run, task

from nstd.backend import Style, Task
from nstd.backends.gatys import footprint
from nstd.backends.gatys.footprint import admitted, needed
from nstd.errors import BackendError, NstdError
from nstd.system import proc, reservations

MEGABYTE = 2**20


def of_size(side: int, **options: Any) -> Task:
    """A job for a picture of that size on the default network."""
    style = Style(np.zeros((100, 100, 3), np.float32))
    pixels = np.zeros((side, side, 3), np.float32)
    wanted: dict[str, Any] = {"network": "fixed", "precision": "bfloat16"} | options
    return task(pixels, style, **wanted)


def test_larger_pictures_need_more() -> None:
    """Below a megapixel about in proportion, above it less: then the tile counts."""
    small, large, huge, giant = (needed(of_size(side)) for side in (512, 1024, 2048, 4096))
    assert 2.5 < large / small < 4
    assert huge / large < 3
    assert giant < 16 * huge


def test_what_a_job_asks_for_counts() -> None:
    """Tiles take less, float32 takes more, and so does a larger network."""
    usual = needed(of_size(900))
    assert needed(of_size(900, tile=256)) < usual
    assert needed(of_size(900, precision="float32")) > usual
    assert needed(of_size(900, network="student")) > usual
    assert needed(of_size(900, network="vgg19")) > usual


def test_a_job_that_fits_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is not known what there is."""
    given = of_size(512)
    for room in (needed(given), None):
        monkeypatch.setattr(footprint, "free", lambda _, room=room: room)
        assert admitted(given) is given


def test_tiles_are_as_small_as_memory_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halved until the job fits."""
    given = of_size(1024)
    room = needed(of_size(1024, tile=256))
    monkeypatch.setattr(footprint, "free", lambda _: room)
    assert admitted(given).options.tile == 256
    assert needed(admitted(given)) <= room < needed(of_size(1024, tile=512))


def test_what_another_worker_has_reserved_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two jobs that begin at once on one machine, the second does not count on the same."""
    given = of_size(1024)
    spared = needed(given) - needed(of_size(1024, tile=256))
    room = footprint.predicted_peak(given) + 50 * MEGABYTE
    monkeypatch.setattr(proc, "available", lambda: room - proc.resident())
    assert admitted(given) is given
    reserved = int(next(reservations.FOLDER.glob("*.reserved")).read_text().split()[1])
    assert reserved == footprint.predicted_peak(given)
    monkeypatch.setattr(reservations, "outstanding", lambda: 50 * MEGABYTE + spared // 2)
    assert admitted(given).options.tile == 256


def test_a_job_that_has_ended_reserves_nothing() -> None:
    """Also one that failed."""
    run(task(photograph(96, 128), network="fixed", steps=4))
    assert not list(reservations.FOLDER.glob("*.reserved"))
    with pytest.raises(NstdError):
        run(task(photograph(96, 128), network="vgg16", steps=4))
    assert not list(reservations.FOLDER.glob("*.reserved"))


def test_a_style_that_counts_for_nothing_is_told() -> None:
    """`style_weight: 0` is allowed, and seldom meant."""
    _, told = run(task(style_weight=0, steps=2))
    assert [each.note for each in told if each.note] == [
        "style_weight is 0: the style counts for nothing"
    ]


def test_smaller_tiles_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a note that goes into the log; the result says it as well."""
    given = task(photograph(128, 160), network="fixed", steps=4)
    room = needed(task(photograph(128, 160), network="fixed", steps=4, tile=80))
    monkeypatch.setattr(footprint, "free", lambda _: room)
    made, told = run(given)
    assert made.network is not None
    assert made.network["tile"] == 80
    assert [each.note for each in told if each.note] == ["memory is short: in tiles of 80 pixels"]


def test_a_job_that_cannot_fit_is_refused_before_it_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With what it needs, and what there is."""
    monkeypatch.setattr(footprint, "free", lambda _: 10 * MEGABYTE)
    with pytest.raises(BackendError) as caught:
        run(task(photograph(96, 128), network="fixed"))
    assert caught.value.code == "out_of_memory"
    assert "fixed at 128 x 96 pixels needs" in caught.value.message
    assert "0.01 GB" in caught.value.message


def test_the_result_tells_what_was_predicted() -> None:
    """Of the whole process, whose libraries alone take some hundred megabytes."""
    given = task(photograph(96, 128), network="fixed", steps=4)
    made, _ = run(given)
    assert made.predicted_memory is not None
    assert made.predicted_memory > needed(given) + 100 * MEGABYTE
