"""The control groups (v2) that this process is in: those of its service, slice or container."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def own_cgroups() -> list[Path]:
    """The folder of this process's cgroup, and those above it; none where there is no v2."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line[3:] for line in lines if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    folder = ROOT / own.lstrip("/")
    return [level for level in (folder, *folder.parents) if level.is_relative_to(ROOT)]
