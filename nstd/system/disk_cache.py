"""What may be wanted again by another job, on disk: bytes by key, and only so many.

Nothing depends on it. What is absent or not whole is a miss, what cannot be written is not kept,
and the folder may be deleted at any time. Any number of processes use it at once.
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
"""Bytes that an entry counts as at least: then a look at all of them takes milliseconds."""
ABANDONED = 60.0
"""Seconds after which an unfinished file is nobody's: whoever wrote it was killed."""
_MARK = hashlib.sha256().digest_size


class DiskCache:
    """A file for each key; the least recently used go first."""

    def __init__(self, folder: Path, limit: int, files: Files) -> None:
        """`folder`, made when it is needed, holds about `limit` bytes at most."""
        self._folder, self._limit, self._files = folder, limit, files

    def get(self, key: str) -> bytes | None:
        """What was put under `key`, or None."""
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
        """Keep `data` under `key`, the name of a file, if that is possible."""
        with suppress(OSError):
            if self._has_room(len(data)):
                self._files.make_folder(self._folder)
                # Not durable: what a power cut tears is a miss.
                self._files.write(self._folder / key, _mark(key, data) + data, durable=False)
                self._shrink()

    def _has_room(self, size: int) -> bool:
        """Whether it is wanted here: jobs must not miss what it takes of a disk's last space."""
        home = self._folder.parent  # not ours to make
        return size < self._limit <= shutil.disk_usage(home).free

    def _shrink(self) -> None:
        """Remove unfinished files, and entries until the others are within the limit."""
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
        """When each file was last used, what it counts as, and where it is."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process removed it
                    if entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        yield found.st_mtime, max(found.st_size, LEAST), Path(entry.path)


def _mark(key: str, data: bytes) -> bytes:
    """What tells that `data` is whole, and that of `key`."""
    digest = hashlib.sha256(f"{key}\n".encode())
    digest.update(data)
    return digest.digest()
