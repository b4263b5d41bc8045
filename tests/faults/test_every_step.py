"""A daemon that dies at any step, or whose disk fails at any step, ends with exactly one result.

The invariant: a job is in one place; its bytes exist until the result is durable; the outbox
holds only complete results; every submission reaches exactly one terminal event.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.farm import KINDS, Farm, fail_at_every_step, kill_at_every_step
from support.playground import Playground

SOME = 13
"""The short form tries every 13th step, from one that each run draws; the slow one tries all."""
FEWER = 29
FEWEST = 53
pytestmark = [
    pytest.mark.timeout(1800),  # the long forms start some hundred daemons
    pytest.mark.xdist_group("steps"),  # one forge for all
]

FAULTS = ("ENOSPC", "EDQUOT", "EIO", "ESTALE")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """One forge for all tests of this module."""
    farm = Farm(tmp_path_factory.mktemp("farm"))
    yield farm
    farm.forge.close()


@pytest.mark.parametrize("stride", [SOME, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_sigkill_the_daemon_at_every_step(farm: Farm, kind: str, stride: int) -> None:
    """Then a restart: the invariant holds, with exactly one output."""
    kill_at_every_step(farm, kind, random.randint(1, stride), stride)


@pytest.mark.slow
def test_sigkill_the_daemon_again_while_it_recovers(farm: Farm) -> None:
    """Two deaths, the second at any step of the recovery; drawn at random."""
    draw = random.Random(7)
    for kind in KINDS * 20:
        plot = farm.plant(kind)
        first, second = draw.randrange(1, 120), draw.randrange(1, 120)
        for at in (first, second):
            farm.run(plot, fault="kill", at=at)
            plot.check_after_fault()
        assert farm.run(plot)[0] == 0, f"after kills at {first} and {second}"
        plot.check_end()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("lasting", [0.0, 0.3])
def test_fail_the_nth_file_operation_once_and_lasting(
    farm: Farm, fault: str, lasting: float
) -> None:
    """The job ends exactly once; a disk that is full for a moment costs one attempt at most."""
    number = FAULTS.index(fault)
    kind = KINDS[(number + bool(lasting)) % 3]
    fail_at_every_step(farm, kind, fault, lasting, random.randint(1, FEWER), FEWER)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("lasting", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_fail_each_file_operation_once_and_lasting(
    farm: Farm, kind: str, fault: str, lasting: float
) -> None:
    """The long form: each step, each kind of job."""
    fail_at_every_step(farm, kind, fault, lasting, 1, 1)


@pytest.mark.parametrize(("fault", "lasting"), [("EIO", 0.2), ("ESTALE", 0.0)])
def test_eio_estale_on_scan_read(farm: Farm, fault: str, lasting: float) -> None:
    """The Nth listing of a folder or opening of a file fails: it is tried again, until it works."""
    first = random.randint(1, FEWER)
    fail_at_every_step(farm, "finished", fault, lasting, first, FEWER, reads=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lasting", [0.0, 0.2])
@pytest.mark.parametrize("fault", ["EIO", "ESTALE"])
def test_eio_estale_on_each_scan_read(farm: Farm, fault: str, lasting: float, kind: str) -> None:
    """The long form: each read, each kind of job."""
    fail_at_every_step(farm, kind, fault, lasting, 1, 1, reads=True)


# Two filesystems


@pytest.mark.parametrize("stride", [FEWEST, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("away", ["inbox", "work", "outbox"])
def test_inbox_and_outbox_on_different_filesystems(
    tmp_path: Path, elsewhere: Path, away: str, stride: int
) -> None:
    """SIGKILL at any step: files are copied, never in part, and there is one result."""
    farm = Farm(tmp_path, elsewhere={away: elsewhere})
    kill_at_every_step(farm, "finished", random.randint(1, stride), stride)
    farm.forge.close()


def test_the_claim_of_a_job_that_has_ended_is_a_spare_copy(playground: Playground) -> None:
    """An inbox that went away in the middle of a claim comes back with it, maybe days later."""
    text = playground.pair("beach").read_bytes()
    assert playground.once().returncode == 0
    (ended,) = playground.events("job.finished")
    claim = playground.inbox / ".nstd" / ended["job"] / "beach.yaml"
    claim.parent.mkdir(parents=True)
    claim.write_bytes(text)
    assert playground.once().returncode == 0
    assert playground.ended() == 1
    assert list(playground.inbox.rglob("*.yaml")) == []
