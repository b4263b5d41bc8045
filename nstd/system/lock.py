"""One daemon per root: a lock that the kernel releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from nstd.errors import StoreError, printable
from nstd.system.ownership import inherit_owner

PATIENCE = 0.5
"""Seconds for which a taken lock is tried again, because `holder` also takes it for a moment."""


class Lock:
    """An exclusive lock on a file that holds the owner's pid."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None
        self._is_signed = False

    def acquire(self) -> None:
        """Take the lock. Raises StoreError `already_running` with the holder's pid."""
        fd = _open(self.path)
        deadline = time.monotonic() + PATIENCE
        while not _is_locked(fd, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                pid = _pid_in(fd)
                os.close(fd)
                raise _taken(self.path, pid)
            time.sleep(0.05)
        self._fd = fd
        self._sign()

    def keep(self) -> None:
        """Check the lock, and write the pid if the disk did not take it before; call it regularly.

        Raises StoreError when the file is not ours any more: its folder was removed or replaced,
        and another daemon may start there.
        """
        assert self._fd is not None
        try:
            is_ours = os.path.samestat(os.fstat(self._fd), self.path.stat())
        except (FileNotFoundError, NotADirectoryError):
            is_ours = False
        except OSError:  # the disk does not answer now
            return
        if not is_ours:
            raise StoreError(
                "io_error",
                f"{printable(self.path)} was removed or replaced while the daemon ran",
                "put the folder back, or make a new one with `nstd init`; then start again",
            )
        if not self._is_signed:
            self._sign()

    def _sign(self) -> None:
        """Write our pid, for people; on a full disk the lock locks without it."""
        assert self._fd is not None
        text = f"{os.getpid()}\n".encode()
        with suppress(OSError):
            self._is_signed = os.pwrite(self._fd, text, 0) == len(text)
            os.ftruncate(self._fd, len(text) if self._is_signed else 0)

    def release(self) -> None:
        """Release the lock; the file stays."""
        if self._fd is not None:
            with suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def holder(path: Path) -> int | None:
    """The pid of the daemon that holds the lock; 0 if the pid is unknown, None if none holds it.

    A held lock means that a daemon runs, even if the file has no pid, as after a full disk.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _is_locked(fd, fcntl.LOCK_SH) else _pid_in(fd)
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    """Open or make the lock file; only for reading if it belongs to another user."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError:  # a file that is open for reading can be locked too
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    inherit_owner(fd, path.parent)
    return fd


def _pid_in(fd: int) -> int:
    """The pid in a lock file; 0 if there is none."""
    words = os.pread(fd, 32, 0).split()
    return int(words[0]) if words and words[0].isdigit() else 0


def _taken(path: Path, pid: int) -> StoreError:
    who, how = (f" (pid {pid})", f"kill {pid}, or ") if pid else ("", "")
    return StoreError(
        "already_running",
        f"another daemon{who} works on {printable(path.parent)}",
        f"stop it first: {how}systemctl stop nstd",
    )


def _is_locked(fd: int, how: int) -> bool:
    """Take the lock on `fd`; whether that was possible."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
