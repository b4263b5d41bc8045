"""What the kernel tells of processes: their memory, their start, and their control groups."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path


def resident(pid: int | None = None) -> int:
    """Bytes of this process, or of another, that are in memory now; 0 where that is unknown."""
    return _number("VmRSS", Path("/proc", str(pid or "self"), "status"))


def peak() -> int:
    """The most bytes that were, since the start or `reset_peak`."""
    return _number("VmHWM", Path("/proc/self/status"))


def reset_peak() -> None:
    """Measure `peak` from here on."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak resident size


def available() -> int | None:
    """Bytes that this process may still take without swapping, or None where that is unknown.

    The machine's, or what the tightest cgroup (v2) above this process leaves: `MemoryMax=` of the
    service, or the limit of a container.
    """
    machine = _number("MemAvailable", Path("/proc/meminfo"))
    rooms = [room for room in map(_room, own_cgroups()) if room is not None]
    if machine:
        rooms.append(machine)
    return max(0, min(rooms)) if rooms else None


def _room(cgroup: Path) -> int | None:
    """What a cgroup leaves below its limit; what it caches of files can be dropped."""
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        cached = re.search(r"^inactive_file (\d+)$", (cgroup / "memory.stat").read_text(), re.M)
    except (OSError, ValueError):  # no limit is written as "max"
        return None
    return limit - used + (int(cached[1]) if cached else 0)


def _number(field: str, file: Path) -> int:
    """A field in bytes of a file of /proc that counts in kB; 0 where it is not there."""
    with suppress(OSError):
        found = re.search(rf"^{field}:\s+(\d+) kB$", file.read_text(), re.M)
        return int(found[1]) * 1024 if found else 0
    return 0


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


_ENDED = ("Z", "X")  # proc_pid_stat(5): a process that has ended, and waits for its parent


def born(pid: int | None = None) -> str:
    """When a process, or this one, started, in ticks since boot; "" once it has ended.

    The 3rd and 22nd fields of proc_pid_stat(5); the second, its name, may have spaces and brackets.
    """
    with suppress(OSError):
        stat = Path("/proc", str(pid or os.getpid()), "stat").read_text().rpartition(")")[2]
        state, *fields = stat.split()
        return "" if state in _ENDED else fields[18]
    return ""
