"""The primitive operations on files, of which the durable ones are made.

Each announces itself to `step` first, so a test can fail, delay or kill the process at any of them.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nstd.system.nofollow import refuse_links
from nstd.system.ownership import inherit_folder_owner, inherit_owner

FULL = {errno.ENOSPC, errno.EDQUOT}


def is_full(error: OSError) -> bool:
    """Whether `error` means that a disk or a quota is full."""
    return error.errno in FULL


class FilePrimitives:
    """All raise OSError when they fail."""

    def step(self, operation: str, path: Path) -> None:
        """Called before each primitive; here it does nothing. Fault injection overrides it."""

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

    def _sync_left(self, folder: Path) -> None:
        """Sync a folder that a file was moved out of; somebody may have removed it since."""
        with suppress(FileNotFoundError, NotADirectoryError):
            self.sync_folder(folder)
