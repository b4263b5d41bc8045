"""Facts about processes from the kernel: memory, start time and control groups."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path


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

    The available memory of the machine, or less if a cgroup (v2) above this process limits it:
    `MemoryMax=` of a service, or the limit of a container.
    """
    machine = _number("MemAvailable", Path("/proc/meminfo"))
    rooms = [room for room in map(_room, own_cgroups()) if room is not None]
    if machine:
        rooms.append(machine)
    return max(0, min(rooms)) if rooms else None


def _room(cgroup: Path) -> int | None:
    """Bytes that a cgroup leaves below its limit; cached file content counts as free."""
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        cached = re.search(r"^inactive_file (\d+)$", (cgroup / "memory.stat").read_text(), re.M)
    except (OSError, ValueError):  # "max" means no limit
        return None
    return limit - used + (int(cached[1]) if cached else 0)


def _number(field: str, file: Path) -> int:
    """The value of a field in kB of a file in /proc, in bytes; 0 when it is absent."""
    with suppress(OSError):
        found = re.search(rf"^{field}:\s+(\d+) kB$", file.read_text(), re.M)
        return int(found[1]) * 1024 if found else 0
    return 0


ROOT = Path("/sys/fs/cgroup")


def own_cgroups() -> list[Path]:
    """The folders of this process's cgroup and of its parents; empty without cgroup v2."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line[3:] for line in lines if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    folder = ROOT / own.lstrip("/")
    return [level for level in (folder, *folder.parents) if level.is_relative_to(ROOT)]


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
