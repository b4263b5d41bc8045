"""The only layer through which the daemon changes the disk.

Every durable write is: temporary file, fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from nstd.system.numbered import numbered
from nstd.system.primitives import FilePrimitives

CHUNK = 1 << 20
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Files(FilePrimitives):
    """File operations that either happen completely and durably, or raise OSError."""

    def rename(self, source: Path, target: Path) -> None:
        """Rename durably: both folders are synced."""
        self.replace(source, target)
        self.sync_folder(target.parent)
        if source.parent != target.parent:
            self._sync_left(source.parent)

    def sync_and_rename(self, source: Path, target: Path) -> None:
        """Sync a file written by another of our processes, and rename it durably."""
        self.sync(source)
        self.rename(source, target)

    def sync(self, path: Path) -> None:
        """Sync the content of a file that was not written by this layer."""
        self.step("fsync", path)
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def write(self, path: Path, data: bytes, *, durable: bool = True) -> None:
        """Write `data` to `path` so that readers see either the old content or all of the new
        one."""
        temporary = path.with_name(f".{path.name}.tmp")
        self.unlink(temporary)
        try:
            self.write_new(temporary, iter([data]), durable=durable)
            self.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        if durable:
            self.sync_folder(path.parent)

    def copy(self, source: BinaryIO, target: Path, size: int | None = None) -> str:
        """Copy an open file, or its first `size` bytes, to the new file `target`; returns the
        SHA-256.

        Without a `size`, a file that grows as fast as it is read would be copied without end. The
        content is durable; the name is durable once the folder of `target` is synced.
        """
        digest = hashlib.sha256()

        def chunks() -> Iterator[bytes]:
            left = size
            while chunk := source.read(CHUNK if left is None else min(CHUNK, left)):
                digest.update(chunk)
                left = None if left is None else left - len(chunk)
                yield chunk

        self.write_new(target, chunks())
        return digest.hexdigest()

    def copy_file(self, source: Path, target: Path) -> str:
        """Copy a file that only we write to the new file `target`, as `copy` does."""
        with source.open("rb") as file:
            return self.copy(file, target)

    def link(self, source: Path, target: Path) -> None:
        """Make a hard link `target` to a file that only we write; a copy where links are
        impossible.

        The name is durable once its folder is synced.
        """
        self.step("link", target)
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self.copy_file(source, target)

    def link_new(self, source: Path, target: Path) -> bool:
        """Make `target` durably, as a hard link to `source`; False when that name is taken.

        Of several processes one succeeds. Where hard links are impossible, it is a copy.
        """
        self.step("link", target)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:  # it can be ours: NFS repeats a link
            return os.path.samestat(source.lstat(), target.lstat())
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            try:
                self.write_new(target, iter([source.read_bytes()]))
            except FileExistsError:
                return False
        self.sync_folder(target.parent)
        return True

    def move_to_free_name(self, source: Path, target: Path, *, below: Path | None = None) -> Path:
        """Move `source` durably to `target`, or to `target-2` ... if the name is taken.

        Files that others put there meanwhile are never overwritten, and no link below the folder
        `below` is followed. The two may be on different filesystems.
        """
        self.make_folder(target.parent, below=below)
        try:
            return self._move_to_free_name(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        near = target.with_name(f".nstd-{os.getpid()}.tmp")
        self.unlink(near)
        self.copy_file(source, near)
        place = self._move_to_free_name(near, target)
        self.unlink(source)
        self._sync_left(source.parent)
        return place

    def _move_to_free_name(self, source: Path, target: Path) -> Path:
        places = map(target.with_name, numbered(target.stem, target.suffix))
        place = next(place for place in places if self._link_appears(source, place))
        self.sync_folder(place.parent)
        self.unlink(source)
        self._sync_left(source.parent)
        return place

    def _link_appears(self, source: Path, target: Path) -> bool:
        """Make a hard link `target` to `source`; False when the name belongs to another file."""
        self.step("link", target)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            # After a crash between link and unlink, the same file has both names.
            return os.path.samestat(source.lstat(), target.lstat())
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._rename_into_reserved(source, target)
        return True

    def _rename_into_reserved(self, source: Path, target: Path) -> bool:
        """The same where hard links are impossible: the name is reserved by an empty file, which is
        then replaced."""
        try:
            self.write_new(target, iter(()), durable=False)
        except FileExistsError:
            return False
        try:
            self.replace(source, target)
        except OSError:
            target.unlink()
            raise
        return True
