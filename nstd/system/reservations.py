"""Memory that other workers on this machine have reserved and not allocated yet.

Two jobs that start at the same time see the same free memory. So each writes its peak memory into
a file, under a common lock; the part that is not allocated yet does not count as free.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TextIO

from nstd.system import proc

FOLDER = Path(tempfile.gettempdir()) / f"nstd-memory-{os.getuid()}"
"""Shared by the workers of one user; the file of a process that has ended is ignored."""


@contextmanager
def locked() -> Iterator[None]:
    """Hold the lock on the reservations; if there can be no lock, continue without."""
    with _lock_file() or nullcontext() as lock:
        if lock is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def outstanding() -> int:
    """Bytes that other running processes have reserved and not allocated yet."""
    total = 0
    for file in FOLDER.glob("*.reserved") if _is_ours() else ():
        with suppress(OSError, ValueError):  # it just ended, or it is another kind of file
            pid = int(file.stem)
            start_time, peak = file.read_text().split()
            if start_time != proc.start_time(pid):
                file.unlink()
            elif pid != os.getpid():
                total += max(0, int(peak) - proc.resident(pid))
    return total


def reserve(peak: int) -> None:
    """Reserve memory: this process will use up to `peak` bytes, until `release`."""
    if _is_ours():
        with suppress(OSError):
            _mine().write_text(f"{proc.start_time()} {peak}")


def release() -> None:
    """Remove the reservation: this process will not allocate more."""
    with suppress(OSError):
        _mine().unlink()


def _lock_file() -> TextIO | None:
    with suppress(OSError):
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        return (FOLDER / "lock").open("w") if _is_ours() else None
    return None


def _mine() -> Path:
    return FOLDER / f"{os.getpid()}.reserved"


def _is_ours() -> bool:
    """Whether the folder was made by this user: in a shared place, others could put a link
    there."""
    with suppress(OSError):
        found = FOLDER.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return False
