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
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20
FULL = {errno.ENOSPC, errno.EDQUOT}


def is_full(error: OSError) -> bool:
    """Whether `error` says that a disk or a quota is full."""
    return error.errno in FULL


class Files:
    """File operations that either happen wholly and durably, or raise OSError."""

    def step(self, operation: str, path: Path) -> None:
        """Called before each primitive; here it does nothing. Fault injection overrides it."""

    # Primitives

    def make_folder(self, path: Path) -> None:
        """Make `path` and its parents durable; a folder that is there already is fine."""
        if path.is_dir():
            return
        self.make_folder(path.parent)
        self.step("mkdir", path)
        path.mkdir(exist_ok=True)
        self.sync_folder(path.parent)

    def sync_folder(self, path: Path) -> None:
        """Make the entries of the folder `path` durable."""
        self.step("fsync_folder", path)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def write_new(self, path: Path, chunks: Iterator[bytes], *, durable: bool = True) -> None:
        """Write `chunks` to `path`, which must not exist, and fsync it."""
        self.step("create", path)
        with path.open("xb") as file:
            for chunk in chunks:
                self.step("write", path)
                file.write(chunk)
            file.flush()
            if durable:
                self.step("fsync", path)
                os.fsync(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Rename `source` to `target`, over a file that is there; not yet durable."""
        self.step("rename", target)
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is gone already is fine."""
        self.step("unlink", path)
        path.unlink(missing_ok=True)

    def remove_tree(self, path: Path) -> None:
        """Remove a folder and all in it; one that is gone already is fine."""
        self.step("remove_tree", path)
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        self.sync_folder(path.parent)

    # What the primitives add up to

    def rename(self, source: Path, target: Path) -> None:
        """Rename durably: both folders are synced."""
        self.replace(source, target)
        self.sync_folder(target.parent)
        if source.parent != target.parent:
            self.sync_folder(source.parent)

    def write(self, path: Path, data: bytes, *, durable: bool = True) -> None:
        """Put `data` at `path` so that readers see the old bytes or all of the new ones."""
        temporary = path.with_name(f".{path.name}.tmp")
        self.unlink(temporary)
        try:
            self.write_new(temporary, iter([data]), durable=durable)
            self.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            self.sync_folder(path.parent)

    def copy(self, source: BinaryIO, target: Path) -> str:
        """Copy an open file to the new file `target`, durably; its SHA-256 in hex."""
        digest = hashlib.sha256()

        def chunks() -> Iterator[bytes]:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                yield chunk

        self.write_new(target, chunks())
        return digest.hexdigest()

    def copy_file(self, source: Path, target: Path) -> str:
        """Copy a file of our own to the new file `target`, durably; its SHA-256 in hex."""
        with source.open("rb") as file:
            return self.copy(file, target)

    def put_back(self, source: Path, target: Path) -> Path:
        """Rename `source` to `target`, or to `target-2` ... where the name is taken; durable.

        The name is reserved by an exclusive create, so nothing that people put there meanwhile
        is ever overwritten.
        """
        self.make_folder(target.parent)
        for candidate in numbered(target):
            self.step("create", candidate)
            try:
                os.link(source, candidate, follow_symlinks=False)
            except FileExistsError:
                if not candidate.samefile(source):  # else a crash came between link and unlink
                    continue
            except OSError as error:
                if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK}:
                    raise
                if candidate.exists():  # a filesystem without hard links
                    continue
                self.replace(source, candidate)
            self.sync_folder(candidate.parent)
            self.unlink(source)
            self.sync_folder(source.parent)
            return candidate
        raise AssertionError("unreachable: numbered() does not end")


def numbered(path: Path) -> Iterator[Path]:
    """`beach.yaml`, `beach-2.yaml`, `beach-3.yaml` ..."""
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
