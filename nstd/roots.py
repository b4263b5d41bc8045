"""A root: a folder that people can write to, read without ever leaving it or following a link."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from nstd.errors import SidecarError

_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Signature(NamedTuple):
    """What tells one state of a file from another."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, result: os.stat_result) -> Signature:
        """The signature of a file as stat saw it."""
        return cls(
            result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns, result.st_ctime_ns
        )

    def same_bytes(self, other: Signature) -> bool:
        """Whether nothing was written between the two; a rename changes only the ctime."""
        return self[:4] == other[:4]


class Root:
    """Files below `path`, by names relative to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def look(self, name: str) -> Signature:
        """The signature of the regular file `name`, which is not opened.

        Raises FileNotFoundError, or SidecarError `path_refused` for a link, a FIFO, a device, or
        anything reached through a link.
        """
        folder, leaf = self._walk(name)
        try:
            result = os.stat(leaf, dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(folder)
        if not stat.S_ISREG(result.st_mode):
            raise _refused(name, _kind(result.st_mode))
        return Signature.of(result)

    def open(self, name: str) -> BinaryIO:
        """Open the regular file `name` for reading; the same errors as `look`.

        The folders are walked by descriptor, so a link that is swapped in meanwhile is not
        followed, and a FIFO does not block.
        """
        self.look(name)
        folder, leaf = self._walk(name)
        try:
            fd = os.open(leaf, _READ, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _refused(name, "a symbolic link") from None
            raise
        finally:
            os.close(folder)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise _refused(name, "not a regular file")
        return os.fdopen(fd, "rb")

    def _walk(self, name: str) -> tuple[int, str]:
        *folders, leaf = PurePosixPath(name).parts
        fd = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in folders:
            try:
                inner = os.open(part, _WALK, dir_fd=fd)
            except OSError as error:
                if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                    raise
                raise _refused(name, "reached through a link or a file") from None
            finally:
                os.close(fd)
            fd = inner
        return fd, leaf


def join(folder: str, name: str) -> str:
    """`name`, relative to `folder`, as a name relative to the root.

    Raises SidecarError `path_refused` when it leaves the root. Purely by the text: links are
    refused when the file is looked at.
    """
    parts: list[str] = []
    for part in (*PurePosixPath(folder).parts, *PurePosixPath(name).parts):
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            raise _refused(name, "outside the inbox")
    if not parts or PurePosixPath(name).is_absolute():
        raise _refused(name, "outside the inbox")
    return "/".join(parts)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFDIR: "a folder",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "not a regular file")


def _refused(name: str, what: str) -> SidecarError:
    return SidecarError(
        "path_refused",
        f"{name!r} is {what}",
        "name a regular picture file that lies in the inbox or in the styles folder",
    )
