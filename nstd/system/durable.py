"""The only layer through which the daemon changes the disk.

Every durable write is: temporary file, fsync, rename, fsync of the folder. Each primitive
announces itself to `step` first, so a test can fail, delay or kill the process at any of them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from nstd.system.numbered import numbered

CHUNK = 1 << 20
FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def is_full(error: OSError) -> bool:
    """Whether `error` means that a disk or a quota is full."""
    return error.errno in FULL


class Files:
    """File operations that either happen completely and durably, or raise OSError."""

    def step(self, operation: str, path: Path) -> None:
        """Called before each primitive; here it does nothing. Fault injection overrides it."""

    # Primitives

    def make_folder(self, path: Path, *, below: Path | None = None) -> None:
        """Make the folder `path` and its parents durably; it may exist already.

        `below` is a folder that other people may write to: a link between it and `path` is not
        followed but raises OSError.
        """
        if below is not None:
            refuse_links(below, path)
        if path.is_dir():
            return
        self.make_folder(path.parent)
        self._make(path, exist_ok=True)

    def make_new_folder(self, path: Path, *, below: Path) -> None:
        """The same for a folder that must not exist yet. Raises FileExistsError when it does."""
        self.make_folder(path.parent, below=below)
        self._make(path, exist_ok=False)

    def _make(self, path: Path, *, exist_ok: bool) -> None:
        self.step("mkdir", path)
        try:
            path.mkdir()
        except FileExistsError:
            if not exist_ok or not path.is_dir():
                raise
        else:
            with suppress(OSError):
                inherit_folder_owner(path)
        try:
            self.sync_folder(path.parent)
        except OSError:  # it is not durable: the next call must make it again
            with suppress(OSError):
                path.rmdir()
            raise

    def sync_folder(self, path: Path) -> None:
        """Make the entries of the folder `path` durable."""
        self.step("fsync_folder", path)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def write_new(self, path: Path, chunks: Iterator[bytes], *, durable: bool = True) -> None:
        """Write `chunks` to `path`, which must not exist, and fsync it."""
        self.step("create", path)
        try:
            with path.open("xb") as file:
                inherit_owner(file.fileno(), path.parent)
                for chunk in chunks:
                    self.step("write", path)
                    file.write(chunk)
                file.flush()
                if durable:
                    self.step("fsync", path)
                    os.fsync(file.fileno())
        except OSError as error:
            if is_full(error) and error.filename is None:  # the error of a write names no file
                error.filename = str(path)
            raise

    def replace(self, source: Path, target: Path) -> None:
        """Rename `source` to `target`, over a file that is there; not yet durable."""
        self.step("rename", target)
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file; it may be absent."""
        self.step("unlink", path)
        path.unlink(missing_ok=True)

    def touch(self, path: Path) -> None:
        """Set the time of a file to now, as its last use."""
        self.step("touch", path)
        os.utime(path)

    def remove_tree(self, path: Path) -> None:
        """Remove a folder and everything in it; it may be absent. Not atomic."""
        self.step("remove_tree", path)
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            if path.exists():  # somebody else removed something in it
                raise
            return
        self.sync_folder(path.parent)

    def remove_empty(self, path: Path) -> None:
        """Remove the folders at and below `path` that contain no file; the others stay."""
        self.step("remove_empty", path)
        for folder, _, _ in os.walk(path, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.ENOENT}:
                    raise
        self._sync_left(path.parent)

    # Operations made of primitives

    def rename(self, source: Path, target: Path) -> None:
        """Rename durably: both folders are synced."""
        self.replace(source, target)
        self.sync_folder(target.parent)
        if source.parent != target.parent:
            self._sync_left(source.parent)

    def _sync_left(self, folder: Path) -> None:
        """Sync a folder that a file was moved out of; somebody may have removed it since."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self.sync_folder(folder)

    def sync_and_rename(self, source: Path, target: Path) -> None:
        """Sync a file written by another of our processes, and rename it durably."""
        self.step("fsync", source)
        with source.open("rb") as file:
            os.fsync(file.fileno())
        self.rename(source, target)

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


def inherit_owner(fd: int, folder: Path) -> None:
    """Give a new file or folder the owner of the folder that contains it, if this process is root.

    Without this, the daemon could not write the files that `sudo nstd` has made. An error is
    ignored.
    """
    if os.geteuid() == 0:
        with suppress(OSError):
            owner = folder.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)


def inherit_folder_owner(folder: Path) -> None:
    """The same for a folder that was just made. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        inherit_owner(fd, folder.parent)
    finally:
        os.close(fd)


def refuse_links(root: Path, path: Path) -> None:
    """Raise OSError when `path`, or a folder between it and `root` above it, is a link.

    Otherwise anyone who may write to `root` could make us write to the target of a link.
    """
    while path != root:
        if path.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link where a folder should be", str(path))
        path = path.parent
