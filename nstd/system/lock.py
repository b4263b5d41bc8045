"""One daemon per root: a lock that the kernel releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from nstd.errors import StoreError

PATIENCE = 0.5
"""Seconds for which a taken lock is tried again, because `holder` also takes it for a moment."""


class Lock:
    """An exclusive lock on a file that holds the owner's pid."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises StoreError `already_running` with the holder's pid."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + PATIENCE
        while not _is_locked(fd, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                pid = os.read(fd, 32).decode().strip()
                os.close(fd)
                raise StoreError(
                    "already_running",
                    f"another daemon (pid {pid}) works on {self.path.parent}",
                    f"stop it first: kill {pid}, or systemctl stop nstd",
                )
            time.sleep(0.05)
        with suppress(OSError):  # the lock also works on a full disk
            os.ftruncate(fd, 0)
            os.write(fd, f"{os.getpid()}\n".encode())
        self._fd = fd

    def release(self) -> None:
        """Release the lock; the file stays."""
        if self._fd is not None:
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def holder(path: Path) -> int | None:
    """The pid of the daemon that holds the lock; None when no daemon runs."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _is_locked(fd, fcntl.LOCK_SH) else int(os.read(fd, 32) or 0)
    finally:
        os.close(fd)


def _is_locked(fd: int, how: int) -> bool:
    """Take the lock on `fd`; whether that was possible."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
