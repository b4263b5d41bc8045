"""A daemon that dies, or whose disk fails, at any step makes a picture of a recipe exactly once."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support.cutter import Cutter
from support.farm import Farm
from support.recipe_farm import KINDS, RecipePlot, plant_recipe

pytestmark = [pytest.mark.timeout(3600), pytest.mark.xdist_group("recipes")]  # one forge
SOME = 29
"""The short form tries every 29th step, from one that each run draws; the slow one tries all."""
GRID = 4
"""A batch takes more steps, and a process for its sheet: its short forms try so much less."""
TRIED = 8
"""States after a power cut that the short form draws for each mode."""


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """One forge for all tests of this module."""
    farm = Farm(tmp_path_factory.mktemp("farm"))
    yield farm
    farm.forge.close()


def thinned(mode: str, stride: int) -> int:
    """The stride of the short form for a recipe of this kind; the slow one tries every step."""
    return stride * GRID if mode == "grid" and stride > 1 else stride


def settle(farm: Farm, plot: RecipePlot, made: int = 1) -> None:
    """Run a daemon, and another one: the second finds nothing to do."""
    for _ in range(2):
        assert farm.run(plot)[0] == 0
        plot.check_end(made)


@pytest.mark.parametrize("stride", [2 * SOME, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", KINDS)
def test_sigkill_the_daemon_at_every_step_of_a_folder_that_is_made_again(
    farm: Farm, mode: str, stride: int
) -> None:
    """The picture is made once more, and not more often, and the request is gone."""
    stride = thinned(mode, stride)
    for at in range(random.randint(1, stride), 1000, stride):
        plot = plant_recipe(farm, mode)
        assert farm.run(plot)[0] == 0
        plot.ask_again()
        status, _ = farm.run(plot, fault="kill", at=at)
        if status == 0:
            assert at > 50, "too few steps to be true"
            plot.check_end(made=2)
            return
        try:
            plot.check_after_fault(made=2)
            settle(farm, plot, made=2)
        except AssertionError as error:
            raise AssertionError(f"after a kill at step {at}: {plot.root}") from error
        plot.remove()


@pytest.mark.parametrize("stride", [SOME, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", KINDS)
def test_sigkill_the_daemon_at_every_step_of_a_recipe(farm: Farm, mode: str, stride: int) -> None:
    """Then a restart: the picture is made once, and once only, whatever becomes of the file."""
    stride = thinned(mode, stride)
    for at in range(random.randint(1, stride), 1000, stride):
        plot = plant_recipe(farm, mode)
        status, _ = farm.run(plot, fault="kill", at=at)
        if status == 0:
            assert at > 50, "too few steps to be true"
            plot.check_end()
            return
        assert status == -9
        try:
            plot.check_after_fault()
            settle(farm, plot)
        except AssertionError as error:
            raise AssertionError(f"after a kill at step {at}: {plot.root}") from error
        plot.remove()


@pytest.mark.slow
def test_sigkill_the_daemon_of_a_recipe_again_while_it_recovers(farm: Farm) -> None:
    """Two deaths, the second at any step of the recovery; drawn at random."""
    draw = random.Random(3)
    for mode in KINDS * 20:
        plot = plant_recipe(farm, mode)
        first, second = draw.randrange(1, 120), draw.randrange(1, 120)
        for at in (first, second):
            farm.run(plot, fault="kill", at=at)
            plot.check_after_fault()
        settle(farm, plot)
        plot.remove()


@pytest.mark.parametrize("stride", [61, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("fault", "lasting"), [("EIO", 0.0), ("ENOSPC", 0.3)])
@pytest.mark.parametrize("mode", KINDS)
@pytest.mark.parametrize("reads", [False, True])
def test_fail_the_nth_file_operation_of_a_recipe(
    farm: Farm, mode: str, fault: str, lasting: float, reads: bool, stride: int
) -> None:
    """The picture is made once, whichever change or read fails, once or for a while."""
    if reads and fault == "ENOSPC":
        return
    stride = thinned(mode, stride)
    for at in range(random.randint(20, 19 + stride) if stride > 1 else 1, 1000, stride):
        plot = plant_recipe(farm, mode)
        status, steps = farm.run(plot, fault=fault, at=at, lasting=lasting, reads=reads)
        try:
            plot.check_after_fault()
            if status != 0:  # it could not even start
                assert at < 20
            settle(farm, plot)
        except AssertionError as error:
            raise AssertionError(f"{fault} at step {at}: {plot.root}") from error
        plot.remove()
        if steps < at:
            assert at > 50, "too few steps to be true"
            return


@pytest.fixture
def cutter(farm: Farm) -> Iterator[Cutter]:
    """One that is closed in the end."""
    cutter = Cutter(farm)
    yield cutter
    cutter.close()


@pytest.mark.parametrize("tried", [TRIED, pytest.param(10**6, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", KINDS)
def test_a_power_cut_with_a_recipe_loses_and_repeats_nothing(
    farm: Farm, cutter: Cutter, mode: str, tried: int
) -> None:
    """Whatever was not fsynced may be gone or torn, at any moment."""
    plot = plant_recipe(farm, mode)
    found = cutter.record(plot.root)
    assert len(found) > 150, "too few states to be true"
    tried = tried // GRID if mode == "grid" and tried == TRIED else tried
    for moment, cut in random.sample(found, min(tried, len(found))):
        left = plot.at(cutter.place)
        with cutter.cut(moment, cut):
            left.check_after_fault()
            settle(farm, left)
