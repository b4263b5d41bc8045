"""What this process holds of the machine's memory, and what it may still take."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from nstd.system.cgroups import own_cgroups


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
