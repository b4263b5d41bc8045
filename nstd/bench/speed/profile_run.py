"""`nstd bench speed --profile`: the profile of each case, in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nstd.backends.gatys.options import Options
from nstd.backends.weights import find
from nstd.bench.speed.run import Contestant, ShowStep
from nstd.bench.speed.setup import Setup
from nstd.documents.config import Config
from nstd.errors import WeightsError


@dataclass(frozen=True)
class ProfileCase:
    """A network, and the longest side of the picture."""

    network: str
    size: int


CASES = tuple(
    ProfileCase(network, size) for network in (Options().network, "vgg19") for size in (512, 2048)
)


def measure_profiles(
    config: Config, threads: int, show_step: ShowStep, cases: Sequence[ProfileCase] = CASES
) -> list[dict[str, Any]]:
    """The profile of each case, beside the best speeds of the machine. VGG-19 is left out where it
    is not installed."""
    networks = config.folder("networks")
    show_step("the machine: convolutions and memory")
    with Contestant("ceiling", _setup(cases[0], networks, threads)) as probe:
        machine = {**probe.ask("measure"), "bandwidth": probe.ask("bandwidth"), "threads": threads}
    found = []
    for case in cases:
        if not _is_installed(case.network, networks):
            show_step(f"{case.network} is left out: it is not installed")
            continue
        show_step(f"{case.network} at {case.size} px")
        with Contestant("ours", _setup(case, networks, threads)) as ours:
            made = ours.ask("profile", network=case.network)
        found.append({"network": case.network, "size": case.size, **machine, **made})
    return found


def _setup(case: ProfileCase, networks: Path, threads: int) -> Setup:
    return Setup(case.size, str(networks / "weights"), threads)


def _is_installed(network: str, networks: Path) -> bool:
    if network != "vgg19":
        return True
    try:
        find(network, networks)
    except WeightsError:
        return False
    return True
