"""What people ask of the daemon is carried out, wherever it is killed: once, or again."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.farm import Farm, Plot

from nstd.queue.control import ControlRequest, ControlRequests
from nstd.queue.overrides import read_overrides
from nstd.queue.paths import JobPaths
from nstd.queue.start_pause import read_pause
from nstd.queue.store import folders_of_jobs
from nstd.system.durable import Files

SOME = 23
"""The short form tries every 23rd step, from one that each run draws; the slow one tries all."""
pytestmark = [
    pytest.mark.timeout(1800),  # the long forms start some hundred daemons
    pytest.mark.xdist_group("steps"),  # one forge for all
]
STRIDES = pytest.mark.parametrize("stride", [SOME, pytest.param(1, marks=pytest.mark.slow)])
SIDECAR = "sub/beach.yaml"
PAUSED = 99
"""How a forged daemon ends with an error, here of a run with `once` that is paused."""


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """One forge for all tests of this module."""
    farm = Farm(tmp_path_factory.mktemp("farm"))
    yield farm
    farm.forge.close()


def ask(plot: Plot, *requests: ControlRequest) -> None:
    """Leave requests, in this order."""
    for request in requests:
        ControlRequests(plot.work, Files()).write(request)


def started(plot: Plot) -> int:
    """How many attempts have begun."""
    text = (plot.outbox / "logs" / "nstd.jsonl").read_text()
    return sum(json.loads(line)["event"] == "job.started" for line in text.splitlines())


def no_request(plot: Plot) -> bool:
    """Whether all requests were carried out and removed."""
    return ControlRequests(plot.work, Files()).is_empty


def kill_at_every_step(
    farm: Farm,
    plant: Callable[[], Plot],
    stride: int,
    check: Callable[[Plot], None],
    status: int = 0,
) -> None:
    """Kill a daemon at a drawn step and at each `stride`th after it; `check` after another run."""
    for at in range(random.randint(1, stride), 1000, stride):
        plot = plant()
        ended, _ = farm.run(plot, fault="kill", at=at)
        if ended != -9:
            assert at > 5, "too few steps to be true"
            check(plot)
            return
        plot.check_after_fault()
        assert farm.run(plot)[0] == status, f"after a kill at step {at}"
        check(plot)
        plot.remove()


@STRIDES
def test_sigkill_while_a_hold_of_a_sidecar_is_carried_out(farm: Farm, stride: int) -> None:
    """It is held after that, was never started, and its release brings it through."""

    def plant() -> Plot:
        plot = farm.plant("finished")
        ask(plot, ControlRequest("hold", SIDECAR))
        return plot

    def check(plot: Plot) -> None:
        assert no_request(plot)
        assert read_overrides(plot.work)[SIDECAR].held
        assert plot.sidecar.read_bytes() == plot.text
        assert started(plot) == 0
        ask(plot, ControlRequest("release", SIDECAR))
        assert farm.run(plot)[0] == 0
        plot.check_end()

    kill_at_every_step(farm, plant, stride, check)


@STRIDES
def test_sigkill_while_a_priority_and_the_release_of_a_sidecar_are_carried_out(
    farm: Farm, stride: int
) -> None:
    """And while its job is made: it ends once, with that priority."""

    def plant() -> Plot:
        plot = farm.plant("finished")
        ask(
            plot,
            ControlRequest("hold", SIDECAR),
            ControlRequest("priority", SIDECAR, priority=0),
            ControlRequest("release", SIDECAR),
        )
        return plot

    def check(plot: Plot) -> None:
        plot.check_end()
        record = json.loads((plot.outbox / "sub" / "beach" / "beach.json").read_text())
        assert record["settings"]["priority"] == 0
        assert no_request(plot)

    kill_at_every_step(farm, plant, stride, check)


@STRIDES
def test_sigkill_while_a_hold_of_a_waiting_job_is_carried_out(farm: Farm, stride: int) -> None:
    """It waits from an earlier run, is held after that, and its release brings it through."""

    def plant() -> Plot:
        plot = farm.plant("finished")
        ask(plot, ControlRequest("hold", waiting_job(farm, plot)))
        return plot

    def check(plot: Plot) -> None:
        (folder,) = folders_of_jobs(plot.work)
        assert JobPaths(folder).read_job().held
        assert no_request(plot)
        assert started(plot) == 0
        ask(plot, ControlRequest("release", folder.name))
        assert farm.run(plot)[0] == 0
        plot.check_end()

    kill_at_every_step(farm, plant, stride, check)


def waiting_job(farm: Farm, plot: Plot) -> str:
    """Have the job claimed by a daemon that is killed before it starts the job; its id."""
    for at in range(_claimed_at[-1], 200):
        farm.run(plot, fault="kill", at=at)
        folders: list[Path] = folders_of_jobs(plot.work)
        if folders:
            assert started(plot) == 0
            _claimed_at.append(at - 1)
            return folders[0].name
    raise AssertionError("no job was claimed")


_claimed_at = [20]
"""The step from which it is tried; the first time finds the right one for the others."""


@STRIDES
def test_sigkill_while_a_pause_is_carried_out(farm: Farm, stride: int) -> None:
    """It is paused after that, and resumed as surely; the job is made once."""

    def plant() -> Plot:
        plot = farm.plant("finished")
        ask(plot, ControlRequest("pause", reason="why", now=True))
        return plot

    def check(plot: Plot) -> None:
        pause = read_pause(plot.work)
        assert pause is not None
        assert pause.reason == "why"
        assert no_request(plot)
        assert started(plot) == 0
        ask(plot, ControlRequest("resume"))
        farm.run(plot, fault="kill", at=random.randint(1, 30))
        assert farm.run(plot)[0] == 0
        assert read_pause(plot.work) is None
        plot.check_end()

    kill_at_every_step(farm, plant, stride, check, status=PAUSED)


@STRIDES
@pytest.mark.parametrize("fault", ["ENOSPC", "EIO"])
def test_fail_the_nth_file_operation_of_holds_and_pauses(
    farm: Farm, fault: str, stride: int
) -> None:
    """Each is tried again until it works, and what was asked first is done first."""
    for at in range(random.randint(1, stride), 1000, stride):
        plot = farm.plant("finished")
        ask(
            plot,
            ControlRequest("pause"),
            ControlRequest("hold", SIDECAR),
            ControlRequest("priority", SIDECAR, priority=7),
            ControlRequest("release", SIDECAR),
            ControlRequest("resume"),
        )
        status, steps = farm.run(plot, fault=fault, at=at, lasting=0.1)
        if status != 0:  # it could not even start: systemd starts it again
            assert at < 20
            assert farm.run(plot)[0] == 0
        plot.check_end()
        record = json.loads((plot.outbox / "sub" / "beach" / "beach.json").read_text())
        assert record["settings"]["priority"] == 7
        assert no_request(plot)
        plot.remove()
        if steps < at:
            return
