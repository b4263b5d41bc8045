"""Facts about processes from the kernel: memory, start time and control groups."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from nstd.system.cgroups import own_cgroups


def resident(pid: int | None = None) -> int:
    """The resident memory of this process, or of another, in bytes; 0 if unknown."""
    return _number("VmRSS", Path("/proc", str(pid or "self"), "status"))


def peak() -> int:
    """The peak of the resident memory since the start or `reset_peak`, in bytes."""
    return _number("VmHWM", Path("/proc/self/status"))


def reset_peak() -> None:
    """Measure `peak` from now on."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak resident size


def available() -> int | None:
    """Bytes that this process may still allocate without swapping; None if unknown.

    The available memory of the machine, or less if a cgroup above this process limits it:
    `MemoryMax=` of a service, or the limit of a container.
    """
    machine = _number("MemAvailable", Path("/proc/meminfo"))
    groups = (*own_cgroups(), *own_cgroups("memory"))
    rooms = [room for room in map(_room, groups) if room is not None]
    if machine:
        rooms.append(machine)
    return max(0, min(rooms)) if rooms else None


_MEMORY = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""The files of both versions of cgroups, and the row of `memory.stat` about cached files."""


def _room(cgroup: Path) -> int | None:
    """Bytes that a cgroup leaves below its limit; cached file content counts as free."""
    for most, current, row in _MEMORY:
        with suppress(OSError, ValueError):  # "max" means no limit; in version 1, a huge number
            limit, used = (int((cgroup / name).read_text()) for name in (most, current))
            stat = (cgroup / "memory.stat").read_text()
            cached = re.search(rf"^{row} (\d+)$", stat, re.M)
            return limit - used + (int(cached[1]) if cached else 0)
    return None


def _number(field: str, file: Path) -> int:
    """The value of a field in kB of a file in /proc, in bytes; 0 when it is absent."""
    with suppress(OSError):
        found = re.search(rf"^{field}:\s+(\d+) kB$", file.read_text(), re.M)
        return int(found[1]) * 1024 if found else 0
    return 0


_ENDED = ("Z", "X")  # proc_pid_stat(5): ended, its parent has not waited for it


def start_time(pid: int | None = None) -> str:
    """The start time of a process, or of this one, in clock ticks since boot; "" once it has ended.

    From fields 3 and 22 of proc_pid_stat(5). Field 2, the name, may contain spaces and brackets.
    """
    with suppress(OSError):
        stat = Path("/proc", str(pid or os.getpid()), "stat").read_text().rpartition(")")[2]
        state, *fields = stat.split()
        return "" if state in _ENDED else fields[18]
    return ""
