"""The one layer through which the daemon changes the disk.

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
    """Whether `error` says that a disk or a quota is full."""
    return error.errno in FULL


class Files:
    """File operations that either happen wholly and durably, or raise OSError."""

    def step(self, operation: str, path: Path) -> None:
        """Called before each primitive; here it does nothing. Fault injection overrides it."""

    # Primitives

    def make_folder(self, path: Path, *, below: Path | None = None) -> None:
        """Make `path` and its parents durable; a folder that is there already is fine.

        With `below`, a folder that people may write to, no link on the way from there is
        followed: that raises OSError.
        """
        if below is not None:
            refuse_links(below, path)
        if path.is_dir():
            return
        self.make_folder(path.parent)
        self._make(path, exist_ok=True)

    def make_new_folder(self, path: Path, *, below: Path) -> None:
        """The same for a folder that must not exist yet: FileExistsError says that it does."""
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
                hand_over(path)
        try:
            self.sync_folder(path.parent)
        except OSError:  # not durable: the next try must not take it for done
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
            if is_full(error) and error.filename is None:  # a write does not say of which file
                error.filename = str(path)
            raise

    def replace(self, source: Path, target: Path) -> None:
        """Rename `source` to `target`, over a file that is there; not yet durable."""
        self.step("rename", target)
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is gone already is fine."""
        self.step("unlink", path)
        path.unlink(missing_ok=True)

    def touch(self, path: Path) -> None:
        """Note that a file was used now."""
        self.step("touch", path)
        os.utime(path)

    def remove_tree(self, path: Path) -> None:
        """Remove a folder and all in it; one that is gone already is fine. Not atomic."""
        self.step("remove_tree", path)
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            if path.exists():  # something in it went away by itself
                raise
            return
        self.sync_folder(path.parent)

    def remove_empty(self, path: Path) -> None:
        """Remove the folders at and below `path` that hold no file; the others stay."""
        self.step("remove_empty", path)
        for folder, _, _ in os.walk(path, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.ENOENT}:
                    raise
        self._sync_left(path.parent)

    # What the primitives add up to

    def rename(self, source: Path, target: Path) -> None:
        """Rename durably: both folders are synced."""
        self.replace(source, target)
        self.sync_folder(target.parent)
        if source.parent != target.parent:
            self._sync_left(source.parent)

    def _sync_left(self, folder: Path) -> None:
        """Sync a folder that something has left; people may have removed it at once."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self.sync_folder(folder)

    def settle(self, source: Path, target: Path) -> None:
        """Give a file that another process of ours has written its name, durably."""
        self.step("fsync", source)
        with source.open("rb") as file:
            os.fsync(file.fileno())
        self.rename(source, target)

    def write(self, path: Path, data: bytes, *, durable: bool = True) -> None:
        """Put `data` at `path` so that readers see the old bytes or all of the new ones."""
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
        """Copy an open file, or its first `size` bytes, to the new file `target`; the SHA-256.

        A file that grows as fast as it is read would be copied for ever without a `size`. The
        bytes are durable; the name is once the folder of `target` is synced.
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
        """Copy a file of our own to the new file `target`, as `copy` does."""
        with source.open("rb") as file:
            return self.copy(file, target)

    def link(self, source: Path, target: Path) -> None:
        """Give a file of our own the new name `target` as well; a copy where links cannot be made.

        The name is durable once its folder is synced.
        """
        self.step("link", target)
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self.copy_file(source, target)

    def put_back(self, source: Path, target: Path, *, below: Path | None = None) -> Path:
        """Move `source` to `target`, or to `target-2` ... where the name is taken; durable.

        Nothing that people put there meanwhile is ever overwritten, and no link below the folder
        `below` is followed. The two may lie on different filesystems.
        """
        self.make_folder(target.parent, below=below)
        try:
            return self._put_back(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        near = target.with_name(f".nstd-{os.getpid()}.tmp")
        self.unlink(near)
        self.copy_file(source, near)
        place = self._put_back(near, target)
        self.unlink(source)
        self._sync_left(source.parent)
        return place

    def _put_back(self, source: Path, target: Path) -> Path:
        places = map(target.with_name, numbered(target.stem, target.suffix))
        place = next(place for place in places if self._appears(source, place))
        self.sync_folder(place.parent)
        self.unlink(source)
        self._sync_left(source.parent)
        return place

    def _appears(self, source: Path, target: Path) -> bool:
        """Give `source` the name `target` as well; False when something else has it."""
        self.step("link", target)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            # The same file has two names when a crash came between link and unlink.
            return os.path.samestat(source.lstat(), target.lstat())
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._moves(source, target)
        return True

    def _moves(self, source: Path, target: Path) -> bool:
        """The same where hard links cannot be made: the name is reserved, then taken over."""
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
    """Give a file or folder of ours that was just made the owner of the folder that it lies in.

    Only root can, and for root it matters: what `sudo nstd` leaves behind would be closed to the
    daemon. Where it cannot be done nothing changes.
    """
    if os.geteuid() == 0:
        with suppress(OSError):
            owner = folder.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)


def hand_over(folder: Path) -> None:
    """The same for a folder that was just made. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        inherit_owner(fd, folder.parent)
    finally:
        os.close(fd)


def refuse_links(root: Path, path: Path) -> None:
    """Raise OSError when `path`, or a folder between it and `root` above it, is a link.

    Whoever may write to `root` could otherwise have us write wherever the link leads to.
    """
    while path != root:
        if path.is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link where a folder should be", str(path))
        path = path.parent
