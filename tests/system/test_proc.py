"""What a process holds of the memory, and what it may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from nstd.system import proc

GIGABYTE = 2**30


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of cgroups, the inner of them this process's."""
    inner = tmp_path / "system.slice" / "nstd.service"
    inner.mkdir(parents=True)
    groups = [inner, *list(inner.parents)[:2]]
    monkeypatch.setattr(proc, "own_cgroups", lambda *controller: [] if controller else groups)
    return tmp_path


def limit(cgroup: Path, most: str, current: int = 0, cached: int = 0) -> None:
    """As the kernel shows it."""
    (cgroup / "memory.max").write_text(f"{most}\n")
    (cgroup / "memory.current").write_text(f"{current}\n")
    (cgroup / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\nfile 9\n")


def test_the_peak_is_at_least_what_is_resident() -> None:
    """And it is measured anew from a reset on."""
    block = bytearray(64 * 2**20)
    block[::4096] = b"x" * len(block[::4096])
    high = proc.peak()
    assert high >= proc.resident() > len(block)
    del block
    proc.reset_peak()
    assert proc.peak() <= high


def test_a_machine_without_limits_offers_what_it_has_left(cgroups: Path) -> None:
    """The system's own estimate."""
    said = Path("/proc/meminfo").read_text()
    total = int(said.split()[1]) * 1024
    limit(cgroups / "system.slice" / "nstd.service", "max")
    offered = proc.available()
    assert offered is not None
    assert 0 < offered < total


def test_the_tightest_limit_above_a_process_counts(cgroups: Path) -> None:
    """Also that of a slice; what is cached of files can be dropped."""
    limit(cgroups / "system.slice" / "nstd.service", "max")
    limit(cgroups / "system.slice", str(GIGABYTE), current=GIGABYTE // 2, cached=1000)
    assert proc.available() == GIGABYTE // 2 + 1000


def test_a_group_over_its_limit_offers_nothing(cgroups: Path) -> None:
    """Never less than that."""
    limit(cgroups / "system.slice" / "nstd.service", "1000", current=5000)
    assert proc.available() == 0


def test_limits_of_the_old_control_groups_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the total row of their statistics counts the groups below, as the usage does."""
    for name, text in {
        "memory.limit_in_bytes": f"{GIGABYTE}\n",
        "memory.usage_in_bytes": f"{GIGABYTE // 2}\n",
        "memory.stat": "inactive_file 7\ntotal_inactive_file 1000\n",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(
        proc, "own_cgroups", lambda *controller: [tmp_path] if controller == ("memory",) else []
    )
    assert proc.available() == GIGABYTE // 2 + 1000
