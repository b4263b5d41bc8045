"""A cache on disk for data that other jobs may need: bytes by key, of limited size.

Nothing depends on it: an entry that is absent or incomplete is a miss, an entry that cannot be
written is dropped, and the folder may be deleted at any time. Many processes may use it at once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nstd.system.durable import Files

LEAST = 64 << 10
"""The least size, in bytes, that an entry counts as; this limits the number of entries, so that
listing them takes milliseconds."""
ABANDONED = 60.0
"""Seconds after which an unfinished file is removed: the process that wrote it was killed."""
_MARK = hashlib.sha256().digest_size


class DiskCache:
    """A file for each key; the least recently used entries are removed first."""

    def __init__(self, folder: Path, limit: int, files: Files) -> None:
        """A cache in `folder`, which is made when needed, of at most about `limit` bytes."""
        self._folder, self._limit, self._files = folder, limit, files

    def get(self, key: str) -> bytes | None:
        """The data that was stored under `key`, or None."""
        path = self._folder / key
        try:
            held = path.read_bytes()
        except OSError:
            return None
        mark, data = held[:_MARK], held[_MARK:]
        if mark != _mark(key, data):
            return None
        with suppress(OSError):
            self._files.touch(path)
        return data

    def put(self, key: str, data: bytes) -> None:
        """Store `data` under `key`, which must be a file name, if possible."""
        with suppress(OSError):
            if self._has_room(len(data)):
                self._files.make_folder(self._folder)
                # Not durable: an entry that a power cut damages is a miss.
                self._files.write(self._folder / key, _mark(key, data) + data, durable=False)
                self._shrink()

    def _has_room(self, size: int) -> bool:
        """Whether the disk has enough free space: the cache must not use the space that jobs
        need."""
        home = self._folder.parent  # must exist already
        return size < self._limit <= shutil.disk_usage(home).free

    def _shrink(self) -> None:
        """Remove unfinished files, and old entries until the rest is within the limit."""
        found = sorted(self._entries())
        total = sum(size for _, size, _ in found)
        now = time.time()
        for used, size, path in found:
            is_abandoned = path.name.startswith(".") and abs(now - used) > ABANDONED
            if is_abandoned or total > self._limit:
                with suppress(OSError):
                    self._files.unlink(path)
                    total -= size

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Each file: when it was last used, the size that it counts as, and its path."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process removed it
                    if entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        yield found.st_mtime, max(found.st_size, LEAST), Path(entry.path)


def _mark(key: str, data: bytes) -> bytes:
    """A checksum which shows that `data` is complete and belongs to `key`."""
    digest = hashlib.sha256(f"{key}\n".encode())
    digest.update(data)
    return digest.digest()
