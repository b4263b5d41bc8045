"""The CPUs that this process may use, and how the slots of the CPU share them.

Affinity and cpusets, quotas of control groups, slow cores of hybrid processors, and NUMA nodes,
whose memory is far from the CPUs of other nodes. All is read from the kernel's files.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nstd.system.cgroups import own_cgroups
from nstd.system.units import counted

_SYSTEM = Path("/")
_CPUS = Path("sys/devices/system/cpu")
_NODES = Path("sys/devices/system/node")
_SLOW = (("sys/devices/cpu_atom/cpus", 0.5), ("sys/devices/cpu_lowpower/cpus", 0.25))
"""Lists of the slow cores of Intel's hybrid processors, and their speed beside the fast ones:
about that of convolutions, by their vector units and clocks."""
_UNEVEN = 0.5
"""A NUMA node with less than this part of the CPUs of the largest gets no slot."""


@dataclass(frozen=True)
class Share:
    """What one slot of the CPU has: the CPUs that it keeps to, if any, and its threads."""

    threads: int
    cpus: frozenset[int] | None = None


@dataclass(frozen=True)
class Cpus:
    """The numbers of the CPUs to use, by NUMA node; `allowed` are all that the process may use.

    `quota` is the time that it may use, in CPUs; None: no limit.
    """

    nodes: tuple[frozenset[int], ...]
    allowed: frozenset[int]
    quota: float | None = None

    @classmethod
    def usable(cls, system: Path = _SYSTEM, affinity: Set[int] | None = None) -> Self:
        """Those of this process. `system` is the folder with `proc` and `sys`; `affinity`, which
        cpusets limit, is the kernel's unless it is given."""
        allowed = frozenset(os.sched_getaffinity(0) if affinity is None else affinity)
        fast = _fast(allowed, system)
        return cls(_by_node(fast, system), allowed, _quota(system))

    @classmethod
    def alike(cls, number: int) -> Self:
        """So many CPUs without a difference between them."""
        cpus = frozenset(range(number))
        return cls((cpus,), cpus)

    @property
    def count(self) -> int:
        """How many threads can run at once."""
        return self._within_quota(sum(map(len, self.nodes)))

    @property
    def slots(self) -> int:
        """How many jobs should run at once: one for each NUMA node that the quota can fill."""
        return min(len(self.nodes), math.ceil(self.count / max(map(len, self.nodes))))

    def share(self, index: int, slots: int) -> Share:
        """The share of the slot with this index, of so many slots of the CPU.

        Several nodes for each slot, or several slots on each node, where their numbers differ.
        """
        nodes = len(self.nodes)
        if slots < nodes:
            cpus, sharers = frozenset().union(*self.nodes[index::slots]), 1
        else:
            cpus = self.nodes[index % nodes]
            sharers = len(range(index % nodes, slots, nodes))
        threads = len(cpus) // sharers
        if self.quota is not None:
            threads = min(threads, round(self.quota) // slots)
        return Share(max(1, threads), None if cpus == self.allowed else cpus)

    def describe(self) -> str:
        """How many there are, and why not more: `16 CPU cores (4 slow ones are left out)`."""
        said = counted(self.count, "CPU core")
        if len(self.nodes) > 1:
            said += f" on {len(self.nodes)} NUMA nodes"
        used, why = sum(map(len, self.nodes)), []
        if left := len(self.allowed) - used:
            why.append(f"{left} slow or far ones are left out")
        if self.quota is not None and self.count < used:
            why.append(f"a control group's limit is {self.quota:g}")
        return f"{said} ({'; '.join(why)})" if why else said

    def _within_quota(self, number: int) -> int:
        return max(1, number if self.quota is None else min(number, round(self.quota)))


@contextmanager
def started_on(cpus: Set[int] | None) -> Iterator[None]:
    """The processes that this thread starts meanwhile keep to `cpus`, if given and still there."""
    before = os.sched_getaffinity(0)
    if cpus is not None:
        with suppress(OSError):  # they are gone; the process may then use all
            os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        if cpus is not None:
            os.sched_setaffinity(0, before)


def _fast(allowed: frozenset[int], system: Path) -> frozenset[int]:
    """Those that do most together: all threads of a step wait for the slowest one.

    So a slow core is used only where its kind brings more than it costs the fast ones.
    """
    speeds = _speeds(allowed, system)

    def work(least: float) -> float:
        return least * sum(speed >= least for speed in speeds.values())

    best = max(sorted(set(speeds.values()), reverse=True), key=work)
    return frozenset(cpu for cpu, speed in speeds.items() if speed >= best)


def _speeds(allowed: frozenset[int], system: Path) -> dict[int, float]:
    """The speed of each CPU beside the others: of ARM as the kernel tells it, of Intel by kind."""
    speeds = dict.fromkeys(allowed, 1.0)
    for file, speed in _SLOW:
        speeds |= dict.fromkeys(_list(system / file) & allowed, speed)
    for cpu in allowed:
        with suppress(OSError, ValueError):
            speeds[cpu] = int((system / _CPUS / f"cpu{cpu}" / "cpu_capacity").read_text()) / 1024
    return speeds


def _by_node(cpus: frozenset[int], system: Path) -> tuple[frozenset[int], ...]:
    """`cpus` by NUMA node, without nodes that have few of them; together where they have none."""
    folders = (system / _NODES).glob("node[0-9]*")
    found = [_list(path / "cpulist") & cpus for path in sorted(folders, key=_number)]
    if not found or frozenset().union(*found) != cpus:
        return (cpus,)
    most = max(map(len, found))
    return tuple(node for node in found if len(node) >= max(1, _UNEVEN * most))


def _number(folder: Path) -> int:
    return int(re.sub(r"\D", "", folder.name))


def _list(file: Path) -> frozenset[int]:
    """The CPUs in a list of the kernel: `0-3,8,10-11`; none where there is no such file."""
    cpus: set[int] = set()
    with suppress(OSError, ValueError):
        for part in file.read_text().strip().split(","):
            first, _, last = part.partition("-")
            cpus |= set(range(int(first), int(last or first) + 1))
    return frozenset(cpus)


def _quota(system: Path) -> float | None:
    """The smallest quota of the control groups above this process, in CPUs; None: no limit."""
    groups = [*own_cgroups(system=system), *own_cgroups("cpu", system)]
    return min((quota for group in groups if (quota := _quota_of(group))), default=None)


def _quota_of(group: Path) -> float | None:
    """The quota of one group: `200000 100000` in `cpu.max` is 2, `max 100000` is no limit.

    In version 1 the same numbers, in microseconds, are in two files; -1 is no limit.
    """
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with suppress(OSError, ValueError, ZeroDivisionError):
            text = " ".join((group / name).read_text() for name in names)
            quota, period = map(int, text.split())
            return quota / period if quota > 0 else None
    return None
