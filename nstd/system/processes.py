"""Who a process is: its pid and when it started, for a pid alone is given again."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

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
