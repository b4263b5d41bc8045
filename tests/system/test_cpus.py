"""Which CPUs a process uses, by the files of machines that are not here; threads are real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.machines import cgroup, described, numa

from nstd.system.cgroups import own_cgroups
from nstd.system.cpus import Cpus, Share, started_on


def span(*parts: tuple[int, int]) -> frozenset[int]:
    """The numbers from the first to the last of each part."""
    return frozenset(cpu for first, last in parts for cpu in range(first, last + 1))


@pytest.mark.parametrize("nodes", [(), ("0-15",)])
def test_one_node_of_equal_cores_is_shared_as_it_is(tmp_path: Path, nodes: tuple[str, ...]) -> None:
    """No worker is kept to a part of it; the kernel moves threads to where there is room."""
    cpus = Cpus.usable(described(tmp_path, numa(*nodes)), span((0, 15)))
    assert (cpus.count, cpus.slots) == (16, 1)
    assert [cpus.share(index, 3) for index in range(3)] == [Share(5)] * 3
    assert cpus.share(0, 40) == Share(1)
    assert cpus.describe() == "16 CPU cores"


def test_each_numa_node_has_a_slot_that_keeps_to_it(tmp_path: Path) -> None:
    """An EPYC with two sockets: the second threads of its cores have the higher numbers."""
    system = described(tmp_path, numa("0-31,64-95", "32-63,96-127"))
    cpus = Cpus.usable(system, span((0, 127)))
    first, second = span((0, 31), (64, 95)), span((32, 63), (96, 127))
    assert (cpus.count, cpus.slots) == (128, 2)
    assert [cpus.share(index, 2) for index in range(2)] == [Share(64, first), Share(64, second)]
    assert [cpus.share(index, 3).threads for index in range(3)] == [32, 64, 32]
    assert cpus.share(0, 1) == Share(128)
    assert cpus.describe() == "128 CPU cores on 2 NUMA nodes"


def test_few_slots_have_several_nodes_each(tmp_path: Path) -> None:
    """Ten nodes come after nine, not after one; one with memory alone has no CPUs."""
    lists = [f"{4 * node}-{4 * node + 3}" for node in range(12)]
    cpus = Cpus.usable(described(tmp_path, numa(*lists, "")), span((0, 47)))
    assert cpus.slots == 12
    assert cpus.share(10, 12) == Share(4, span((40, 43)))
    assert cpus.share(1, 5) == Share(12, span((4, 7), (24, 27), (44, 47)))


def test_a_cpuset_takes_nodes_away(tmp_path: Path) -> None:
    """The affinity of a process is within its cpuset: the kernel sees to that."""
    system = described(tmp_path, numa("0-15", "16-31"))
    whole = Cpus.usable(system, span((16, 31)))
    assert (whole.slots, whole.share(0, 1)) == (1, Share(16))
    uneven = Cpus.usable(system, span((0, 15), (16, 17)))
    assert (uneven.slots, uneven.share(0, 1)) == (1, Share(16, span((0, 15))))
    assert uneven.describe() == "16 CPU cores (2 slow or far ones are left out)"


@pytest.mark.parametrize(
    ("fast", "slow", "used"),
    [((0, 15), (16, 19), (0, 15)), ((0, 3), (4, 11), (0, 11)), ((0, 0), (1, 8), (0, 8))],
)
def test_slow_cores_of_a_hybrid_intel_are_used_where_there_are_many(
    tmp_path: Path, fast: tuple[int, int], slow: tuple[int, int], used: tuple[int, int]
) -> None:
    """All threads wait for the slowest: 16 fast ones do more than 20 of both kinds."""
    kinds = {"cpu_core": fast, "cpu_atom": slow}
    files = {f"sys/devices/{name}/cpus": f"{a}-{b}\n" for name, (a, b) in kinds.items()}
    allowed = span(fast, slow)
    cpus = Cpus.usable(described(tmp_path, numa(f"0-{slow[1]}") | files), allowed)
    assert cpus.count == used[1] + 1
    assert cpus.share(0, 1).cpus == (None if span(used) == allowed else span(used))


def test_slow_cores_of_arm_are_told_by_their_capacity(tmp_path: Path) -> None:
    """Two large, two middle and four small ones; without the large, the middle ones are left."""
    folder = "sys/devices/system/cpu"
    sizes = [250, 250, 250, 250, 870, 870, 1024, 1024]
    files = {f"{folder}/cpu{cpu}/cpu_capacity": f"{size}\n" for cpu, size in enumerate(sizes)}
    system = described(tmp_path, files)
    assert Cpus.usable(system, span((0, 7))).share(0, 1) == Share(4, span((4, 7)))
    assert Cpus.usable(system, span((0, 5))).share(0, 1) == Share(2, span((4, 5)))
    assert Cpus.usable(system, span((0, 3))).share(0, 1) == Share(4)


TOP = "/sys/fs/cgroup"
INNER = f"{TOP}/system.slice/nstd.service"


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({f"{INNER}/cpu.max": "200000 100000\n"}, 2.0),
        ({f"{INNER}/cpu.max": "max 100000\n", f"{TOP}/system.slice/cpu.max": "150000 100000"}, 1.5),
        ({f"{INNER}/cpu.max": "400000 100000\n", f"{TOP}/cpu.max": "300000 100000"}, 3.0),
        ({f"{INNER}/cpu.max": "max 100000\n"}, None),
        ({f"{INNER}/cpu.max": ""}, None),
        ({f"{INNER}/cpu.max": "100000 0"}, None),
        ({}, None),
    ],
)
def test_the_smallest_quota_above_a_process_counts(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    """Of its own group, and of each one above it."""
    files = {name.lstrip("/"): text for name, text in files.items()}
    system = described(tmp_path, cgroup(2, "/system.slice/nstd.service", TOP) | files)
    cpus = Cpus.usable(system, span((0, 7)))
    assert cpus.quota == quota
    assert cpus.count == (round(quota) if quota else 8)


@pytest.mark.parametrize(("quota", "expected"), [("150000", 1.5), ("-1", None)])
def test_a_quota_of_the_old_control_groups_counts_too(
    tmp_path: Path, quota: str, expected: float | None
) -> None:
    """In a container, where its own group is mounted and its path is that of the outside."""
    place = f"{TOP}/cpu,cpuacct".lstrip("/")
    files = {f"{place}/cpu.cfs_quota_us": f"{quota}\n", f"{place}/cpu.cfs_period_us": "100000\n"}
    where = cgroup(1, "/docker/4f1c", f"/{place}", top="/docker/4f1c")
    cpus = Cpus.usable(described(tmp_path, where | files), span((0, 7)))
    assert cpus.quota == expected
    said = "2 CPU cores (a control group's limit is 1.5)" if expected else "8 CPU cores"
    assert cpus.describe() == said


def test_a_quota_fills_no_more_nodes_than_it_has_time_for(tmp_path: Path) -> None:
    """Four CPUs' time is one job on four threads, not two on two; half a CPU is one thread."""
    limits = {f"{TOP}/cpu.max".lstrip("/"): "400000 100000\n"}
    where = cgroup(2, "/", TOP)
    system = described(tmp_path, numa("0-15", "16-31") | where | limits)
    cpus = Cpus.usable(system, span((0, 31)))
    assert (cpus.slots, cpus.share(0, 1)) == (1, Share(4))
    assert [cpus.share(index, 2).threads for index in range(2)] == [2, 2]
    described(system, dict.fromkeys(limits, "2000000 100000\n"))
    assert Cpus.usable(system, span((0, 31))).slots == 2
    described(system, dict.fromkeys(limits, "50000 100000\n"))
    assert Cpus.usable(system, span((0, 31))).share(0, 1) == Share(1)


def test_groups_are_found_where_they_are_mounted(tmp_path: Path) -> None:
    """From a process's own up to the mount; none where its version is not mounted."""
    system = described(tmp_path, cgroup(2, "/a/b", "/mnt/with\\040space"))
    names = ["mnt/with space/a/b", "mnt/with space/a", "mnt/with space"]
    assert own_cgroups(system=system) == [system / name for name in names]
    assert own_cgroups("cpu", system) == []
    described(system, cgroup(2, "/../outside", TOP, top="/docker/1"))
    assert own_cgroups(system=system) == [system / TOP.lstrip("/")]


def test_those_of_this_process_are_within_its_affinity() -> None:
    """Whatever the machine is, which is also looked at."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert Cpus.usable().count == 1
    finally:
        os.sched_setaffinity(0, before)
    assert 1 <= Cpus.usable().count <= len(before)


def test_a_process_is_started_on_its_cpus_and_its_parent_keeps_all() -> None:
    """Those of a machine that has changed since are no hindrance."""
    code = "import os; print(sorted(os.sched_getaffinity(0)))"
    before = os.sched_getaffinity(0)
    for cpus, expected in (({max(before)}, {max(before)}), ({4095}, before), (None, before)):
        with started_on(cpus):
            said = subprocess.run([sys.executable, "-ISc", code], capture_output=True, text=True)
        assert said.stdout == f"{sorted(expected)}\n"
        assert os.sched_getaffinity(0) == before
