"""The log file: one write per line, rotated by size, made again when somebody removes it."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from nstd.system.durable import Files
from nstd.system.ownership import inherit_owner

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LogFile:
    """Appends to `path`; `path.1` is the last rotated file, `path.KEEP` the oldest.

    Nothing is buffered: when `write` returns, the line is in the file, or it is lost because of
    a disk error. A line that was written only in part is ended before the next one.
    """

    def __init__(self, path: Path, size: int, keep: int) -> None:
        self.path, self.size, self.keep = path, size, keep
        self._fd: int | None = None
        self._is_torn = False
        self._is_named = False  # whether its name is durable

    def write(self, line: str, *, durable: bool = False) -> None:
        """Append one line; after a disk error the line is lost, and the daemon goes on.

        A `durable` line is also synced; only such a line raises OSError.
        """
        try:
            self._write(line.encode() + b"\n", durable)
        except OSError:
            if durable:
                raise

    def _write(self, line: bytes, is_durable: bool) -> None:
        fd = self._ready(len(line))
        if self._is_torn:
            line = b"\n" + line
        self._is_torn = os.write(fd, line) < len(line)
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        if is_durable:
            os.fsync(fd)
            if not self._is_named:
                sync_names(self.path.parent)
                self._is_named = True

    def _ready(self, more: int) -> int:
        """The descriptor of a file with room for `more` bytes."""
        fd = self._current()
        size = os.fstat(fd).st_size
        if size and size + more > self.size:
            self._rotate()
            fd = self._current()
        return fd

    def _current(self) -> int:
        """The descriptor of the file that is at the path now."""
        if self._fd is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._fd), self.path.lstat()):
                    return self._fd
        self._let_go()
        self._is_named = False
        Files().make_folder(self.path.parent)
        self._fd = fd = open_to_append(self.path)
        size = os.fstat(fd).st_size
        self._is_torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        return fd

    def _rotate(self) -> None:
        number = self.keep
        while self._rotated(number).exists():  # several, if fewer are kept now
            self._rotated(number).unlink()
            number += 1
        for number in range(self.keep - 1, -1, -1):
            with suppress(FileNotFoundError):
                self._rotated(number).replace(self._rotated(number + 1))

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path

    def _let_go(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def close(self) -> None:
        """Close the file."""
        self._let_go()


def append(path: Path, line: str) -> None:
    """Append one line to the file at `path`. Raises OSError."""
    with open(open_to_append(path, 0o666), "ab") as file:
        file.write(line.encode() + b"\n")


def open_to_append(path: Path, mode: int = 0o644) -> int:
    """A descriptor of the file at `path`, which is made if it does not exist. Raises OSError.

    Other people may write to its folder: a link, a FIFO or a device is refused.
    """
    folder = os.open(path.parent, _FOLDER)
    is_new = not os.path.lexists(path)
    try:
        fd = os.open(path.name, _APPEND, mode, dir_fd=folder)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if is_new:
        inherit_owner(fd, path.parent)
    return fd


def sync_names(folder: Path) -> None:
    """Make the names of the files in the log's folder, and the name of the folder, durable."""
    for each in (folder, folder.parent):
        Files().sync_folder(each)
