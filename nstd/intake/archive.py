"""The archive of inbox pictures whose jobs are done: it mirrors the inbox, and has the same bytes
only once."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from nstd.errors import SidecarError
from nstd.intake.names import is_ignored
from nstd.system.durable import CHUNK, Files
from nstd.system.nofollow import Folder

_BUDGET = 2.0
"""Seconds spent once on listing what is there; what is not listed may be kept a second time."""
_NUMBER = re.compile(r"-\d+$")


class Archive:
    """The folder `outbox/archive`. Other people may change it at any time."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._folder, self._files = folder, files
        self._names: dict[int, set[str]] | None = None  # by size in bytes, once listed

    def take(self, picture: Path, name: str) -> None:
        """Move the inbox picture `name`, whose path is `picture`, into the archive.

        If its bytes are there already, it is removed once the copy there is on disk; a name that
        differs by more than a number becomes a hard link to that copy. Raises OSError.
        """
        size = picture.stat().st_size
        same = self._same(picture, name, size)
        if same is None:
            place = self._move(picture, name)
            self._listed()[size].add(str(place.relative_to(self._folder)))
            return
        if _plain(same) != _plain(name):
            near = (self._folder / name).with_name(f".nstd-{os.getpid()}.tmp")
            self._files.make_folder(near.parent, below=self._folder.parent)
            self._files.unlink(near)
            self._files.link(self._folder / same, near)
            self._move(near, name)
        self._files.unlink(picture)

    def _move(self, source: Path, name: str) -> Path:
        target = self._folder / name
        return self._files.move_to_free_name(source, target, below=self._folder.parent)

    def _same(self, picture: Path, name: str, size: int) -> str | None:
        """The archived file with the bytes of `picture`, if possible one that differs from `name`
        by a number alone; its content is then on disk."""
        names = self._listed()[size]
        for other in sorted(names, key=lambda each: (_plain(each) != _plain(name), each)):
            try:
                with Folder(self._folder).open(other) as file, picture.open("rb") as own:
                    if _is_equal(file, own):
                        _renew(file)
                        os.fsync(file.fileno())
                        return other
            except (FileNotFoundError, NotADirectoryError, PermissionError, SidecarError):
                names.discard(other)
        return None

    def _listed(self) -> dict[int, set[str]]:
        """The names of the archived files, by size."""
        if self._names is None:
            self._names = defaultdict(set)
            until = time.monotonic() + _BUDGET
            for path in _files_below(self._folder):
                if time.monotonic() > until:
                    break
                with suppress(FileNotFoundError):
                    size = path.lstat().st_size
                    self._names[size].add(str(path.relative_to(self._folder)))
        return self._names


def _files_below(folder: Path) -> Iterator[Path]:
    for inner, _, names in os.walk(folder):
        for name in names:
            if not is_ignored(name):
                yield Path(inner, name)


def _renew(file: BinaryIO) -> None:
    """Set the time of the last change of a file to now, but not that of its content: with it, the
    time begins again after which retention lets it go."""
    status = os.fstat(file.fileno())
    os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))


def _plain(name: str) -> tuple[str, str, str]:
    """Folder, stem and suffix of a name, without the number that makes it unique."""
    folder, leaf = os.path.split(name)
    stem, suffix = os.path.splitext(leaf)  # noqa: PTH122 - a Path takes its time
    return folder, _NUMBER.sub("", stem), suffix


def _is_equal(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether two files have the same bytes."""
    while True:
        first, second = one.read(CHUNK), other.read(CHUNK)
        if first != second:
            return False
        if not first:
            return True
