"""A batch whose daemon dies, or whose disk fails, at any step: each job of it ends exactly once."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support.batch_farm import BatchPlot, plant_batch
from support.cutter import Cutter
from support.farm import Farm

pytestmark = [pytest.mark.timeout(3600), pytest.mark.xdist_group("batches")]  # one forge
SOME = 37
"""The short form tries every 37th step, from one that each run draws; the slow one tries all."""
TRIED = 6
"""States after a power cut that the short form tries."""


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """One forge for all tests of this module."""
    farm = Farm(tmp_path_factory.mktemp("farm"))
    yield farm
    farm.forge.close()


@pytest.mark.parametrize("stride", [SOME, pytest.param(1, marks=pytest.mark.slow)])
def test_sigkill_the_daemon_at_every_step_of_a_batch(farm: Farm, stride: int) -> None:
    """Then a restart: every member is there once, with one sheet and one end of the batch."""
    for at in range(random.randint(1, stride), 1000, stride):
        plot = plant_batch(farm)
        status, _ = farm.run(plot, fault="kill", at=at)
        if status == 0:
            plot.check_end()
            assert at > 100, "too few steps to be true"
            return
        assert status == -9
        try:
            plot.check_after_fault()
            assert farm.run(plot)[0] == 0
            plot.check_end()
        except AssertionError as error:
            raise AssertionError(f"after a kill at step {at}: {plot.root}") from error
        plot.remove()


@pytest.mark.slow
def test_sigkill_the_daemon_of_a_batch_again_while_it_recovers(farm: Farm) -> None:
    """Two deaths, the second at any step of the recovery; drawn at random."""
    draw = random.Random(5)
    for _ in range(60):
        plot = plant_batch(farm)
        first, second = draw.randrange(1, 180), draw.randrange(1, 180)
        for at in (first, second):
            farm.run(plot, fault="kill", at=at)
            plot.check_after_fault()
        assert farm.run(plot)[0] == 0, f"after kills at {first} and {second}"
        plot.check_end()
        plot.remove()


@pytest.mark.parametrize("stride", [61, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("fault", "lasting"), [("EIO", 0.0), ("ENOSPC", 0.3)])
def test_fail_the_nth_file_operation_of_a_batch(
    farm: Farm, fault: str, lasting: float, stride: int
) -> None:
    """Each member ends exactly once, whichever operation fails, once or for a while."""
    for at in range(random.randint(20, 19 + stride) if stride > 1 else 1, 1000, stride):
        plot = plant_batch(farm)
        status, steps = farm.run(plot, fault=fault, at=at, lasting=lasting)
        plot.check_after_fault()
        if status != 0:  # it could not even start
            assert at < 20
            assert farm.run(plot)[0] == 0
        plot.check_end()
        if steps < at:
            assert at > 100, "too few steps to be true"
            return
        plot.remove()


@pytest.fixture
def cutter(farm: Farm) -> Iterator[Cutter]:
    """One that is closed in the end."""
    cutter = Cutter(farm)
    yield cutter
    cutter.close()


@pytest.mark.parametrize("tried", [TRIED, pytest.param(10**6, marks=pytest.mark.slow)])
def test_a_power_cut_in_a_batch_loses_nothing(farm: Farm, cutter: Cutter, tried: int) -> None:
    """Whatever was not fsynced may be gone or torn, at any moment."""
    plot = plant_batch(farm)
    found = cutter.record(plot.root)
    assert len(found) > 200, "too few states to be true"
    for moment, cut in random.sample(found, min(tried, len(found))):
        left = BatchPlot(cutter.place)
        left.inputs, left.text = plot.inputs, plot.text
        with cutter.cut(moment, cut):
            left.check_results()
            assert farm.run(left)[0] == 0
            left.check_end()
