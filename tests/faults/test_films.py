"""A film whose daemon dies at any step, or whose disk fails at any step, is made once and alike.

The invariants are those of pictures; besides, the film is the same whatever happened on the way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support.farm import fail_at_every_step, kill_at_every_step
from support.film_farm import FilmFarm

from nstd.queue.store import FORGIVEN

SOME, FEWER = 37, 71
"""The short form tries every so manyth step, from one that each run draws; the slow one all."""
STEPS = 48
"""So many that a daemon makes a frame or two in its life."""
pytestmark = [pytest.mark.timeout(1800), pytest.mark.xdist_group("films")]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilmFarm]:
    """One forge for all tests of this module."""
    farm = FilmFarm(tmp_path_factory.mktemp("films"))
    yield farm
    farm.forge.close()


@pytest.mark.parametrize("stride", [SOME, pytest.param(1, marks=pytest.mark.slow)])
def test_sigkill_the_daemon_at_every_frame_of_a_film(farm: FilmFarm, stride: int) -> None:
    """And at every other step: after a restart the film is the same, bit for bit."""
    kill_at_every_step(farm, "finished", random.randint(1, stride), stride)


def test_sigkill_the_daemon_after_each_frame_of_a_film(farm: FilmFarm) -> None:
    """As often as there are frames, which is more often than a picture may be the victim."""
    plot, deaths, made = farm.plant("finished", frames=14), 0, 0
    while made < 14:
        assert farm.run(plot, fault="kill", at=STEPS)[0] == -9
        plot.check_after_fault()
        before, made = made, len(list(plot.work.glob("*/frames/*.png")))
        deaths += 1
        assert made > before or deaths < 3
    assert farm.run(plot)[0] == 0
    plot.check_end()
    assert deaths > FORGIVEN + 3, deaths
    assert plot.attempts() == 1


@pytest.mark.parametrize("fault", ["ENOSPC", "EIO"])
def test_fail_the_nth_file_operation_of_a_film(farm: FilmFarm, fault: str) -> None:
    """Once, or for a moment: the film is the same, and a full disk costs one attempt at most."""
    lasting = 0.2 if fault == "ENOSPC" else 0.0
    fail_at_every_step(farm, "finished", fault, lasting, random.randint(1, FEWER), FEWER)


@pytest.mark.slow
@pytest.mark.parametrize("lasting", [0.0, 0.2])
@pytest.mark.parametrize("fault", ["ENOSPC", "EDQUOT", "EIO", "ESTALE"])
def test_fail_each_file_operation_of_a_film(farm: FilmFarm, fault: str, lasting: float) -> None:
    """The long form: each step."""
    fail_at_every_step(farm, "finished", fault, lasting, 1, 1)
