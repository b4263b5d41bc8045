"""One daemon per root: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from nstd.errors import StoreError
from nstd.system.durable import inherit_owner

PATIENCE = 0.5
"""Seconds for which a taken lock is tried again: `holder` takes it for a moment as well."""


class Lock:
    """An exclusive lock on a file that holds the owner's pid."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise StoreError `already_running` with the holder's pid."""
        fd = _open(self.path)
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
        with suppress(OSError):  # on a full disk the lock still locks
            os.ftruncate(fd, 0)
            os.write(fd, f"{os.getpid()}\n".encode())
        self._fd = fd

    def release(self) -> None:
        """Let go of the lock; the file stays."""
        if self._fd is not None:
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def holder(path: Path) -> int | None:
    """The pid of the daemon that holds the lock, or None when none runs."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _is_locked(fd, fcntl.LOCK_SH) else int(os.read(fd, 32) or 0)
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    """The lock file, made if need be; for reading alone where another user has left it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError:  # the kernel locks it all the same
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    inherit_owner(fd, path.parent)
    return fd


def _is_locked(fd: int, how: int) -> bool:
    """Whether we could take the lock."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
