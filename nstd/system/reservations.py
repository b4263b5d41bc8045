"""Memory that other workers on this machine have reserved and not taken yet.

Two jobs that begin at once see the same free memory. So each writes down, under one lock, how much
it will hold at its peak; what another has not taken of that is no longer free.
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
"""Shared by the workers of one user; a file means nothing once its process has ended."""


@contextmanager
def locked() -> Iterator[None]:
    """Have the reservations to oneself; where there can be none, go on without."""
    with _lock_file() or nullcontext() as lock:
        if lock is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def outstanding() -> int:
    """Bytes that other living processes have reserved and do not hold yet."""
    total = 0
    for file in FOLDER.glob("*.reserved") if _is_ours() else ():
        with suppress(OSError, ValueError):  # it ended just now, or the file is none of ours
            pid = int(file.stem)
            born, peak = file.read_text().split()
            if born != proc.born(pid):
                file.unlink()
            elif pid != os.getpid():
                total += max(0, int(peak) - proc.resident(pid))
    return total


def reserve(peak: int) -> None:
    """Have others know that this process will hold up to `peak` bytes, until `release`."""
    if _is_ours():
        with suppress(OSError):
            _mine().write_text(f"{proc.born()} {peak}")


def release() -> None:
    """This process will take no more than it has."""
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
    """Whether the folder is one that this user made: in a common place, others may plant a link."""
    with suppress(OSError):
        found = FOLDER.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return False
