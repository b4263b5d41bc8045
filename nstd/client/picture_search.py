"""Finds pictures by their SHA-256: the sizes of files are compared first, so few are read."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nstd.errors import SidecarError
from nstd.intake.names import is_ignored
from nstd.outbox.record import RecordedInput
from nstd.system.folder_digest import digest_of_folder
from nstd.system.nofollow import Folder


@dataclass(frozen=True)
class FoundPicture:
    """A file that has the bytes of a recorded picture: its folder, and its name in it."""

    root: Folder
    name: str


class PictureSearch:
    """Looks through `folders`, in their order. Links are not followed; hidden files are skipped."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [Folder(path) for path in folders]

    def find(self, wanted: Iterable[RecordedInput]) -> dict[str, FoundPicture]:
        """Those of the pictures that were found, by their SHA-256."""
        by_size: dict[int, set[str]] = defaultdict(set)
        for each in wanted:
            by_size[each.bytes].add(each.sha256)
        found: dict[str, FoundPicture] = {}
        for root in self.folders:
            for name, size in _files(root.path):
                if not by_size:
                    return found
                digest = _digest(root, name) if size in by_size else None
                if digest is not None and digest in by_size[size]:
                    found[digest] = FoundPicture(root, name)
                    by_size[size].discard(digest)
                    if not by_size[size]:
                        del by_size[size]
        return found


def has_bytes_of(root: Folder, name: str, given: RecordedInput) -> bool:
    """Whether a file, or a folder of frames, has the bytes of a recorded picture."""
    if given.file.endswith("/"):
        return _digest_of_folder(root, name) == given.sha256
    try:
        size = root.signature(name).size
    except (OSError, SidecarError):
        return False
    return size == given.bytes and _digest(root, name) == given.sha256


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """The name, relative to `root`, and the size in bytes of each regular file below it."""
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if not is_ignored(name))
        for name in sorted(names):
            if is_ignored(name):
                continue
            path = os.path.join(folder, name)  # noqa: PTH118 - there may be many
            with suppress(OSError):
                yield os.path.relpath(path, root), os.lstat(path).st_size


def _digest_of_folder(root: Folder, name: str) -> str | None:
    """The SHA-256 of a folder of frames; None where it cannot be read."""
    try:
        names = [leaf for leaf in root.signatures(name) if leaf[0] != "."]
    except (OSError, SidecarError):
        return None
    digests = [(leaf, _digest(root, f"{name}/{leaf}") or "") for leaf in names]
    return digest_of_folder(digests)


def _digest(root: Folder, name: str) -> str | None:
    """The SHA-256 of a regular file; None where it cannot be read."""
    try:
        with root.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, SidecarError):
        return None
