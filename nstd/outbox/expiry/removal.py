"""Takes a unit out of the outbox: one rename, then a copy elsewhere if asked for, then removal.

`outbox/.expired/2-3f9a1c...` holds a unit whose path in the outbox has two parts, with these. If
the name ends in `.done`, the unit is copied, or shall not be, and only has to be removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from nstd.errors import SidecarError
from nstd.system.durable import Files
from nstd.system.layout import ARCHIVE, EXPIRED, FAILED
from nstd.system.nofollow import Folder, refuse_links
from nstd.system.numbered import numbered

_DONE = ".done"
_HELD = re.compile(r"(\d{1,4})-[0-9a-f]{12}(\.done)?")
_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


class Removal:
    """Removes units of `outbox`, or moves them into the folder `move_to`, which has to exist."""

    def __init__(self, outbox: Path, move_to: Path | None, files: Files) -> None:
        self._outbox, self._move_to, self._files = outbox, move_to, files
        self._held = outbox / EXPIRED

    def open(self) -> None:
        """Finish what an earlier sweep has left. Raises OSError, also if `move_to` is not there:
        it may be the folder of a share that is not mounted, so it is never made."""
        if self._move_to is not None and not self._move_to.is_dir():
            said = "retention.move_to is not there, or no folder"
            raise OSError(errno.ENOENT, said, str(self._move_to))
        refuse_links(self._outbox, self._held)
        with suppress(FileNotFoundError):
            for held in sorted(self._held.iterdir()):
                self._finish(held)

    def take(self, path: str) -> bool:
        """Remove or move the unit `path`, relative to the outbox. False if it is gone already.

        Raises OSError.
        """
        source, depth = self._outbox / path, len(PurePosixPath(path).parts)
        refuse_links(self._outbox, source)
        held = self._held / f"{depth}-{secrets.token_hex(6)}"
        self._files.make_folder((held / path).parent, below=self._outbox)
        try:
            self._files.rename(source, held / path)
        except FileNotFoundError:
            self._finish(held)
            return False
        self._finish(held)
        self._remove_parents(source.parent)
        return True

    def close(self) -> None:
        """Remove the hidden folder; that also tells the gallery that the outbox has changed."""
        self._files.step("rmdir", self._held)
        with suppress(OSError):
            self._held.rmdir()

    def _finish(self, held: Path) -> None:
        if not _HELD.fullmatch(held.name) or held.is_symlink() or not held.is_dir():
            return  # somebody else's
        if not held.name.endswith(_DONE):
            unit = _unit_in(held)
            if unit is not None and self._move_to is not None:
                stage = self._move_to / f".nstd-{held.name}.tmp"
                self._move(held / unit, stage, self._move_to / unit, self._move_to)
            done = held.with_name(held.name + _DONE)
            self._files.rename(held, done)
            held = done
        self._files.remove_tree(held)

    def _remove_parents(self, folder: Path) -> None:
        """Remove the folders that have become empty; those at the top of the outbox are kept if
        they are nstd's own."""
        while folder != self._outbox and str(folder.relative_to(self._outbox)) not in _TOP:
            self._files.step("rmdir", folder)
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    # Elsewhere

    def _move(self, source: Path, stage: Path, target: Path, move_to: Path) -> None:
        """Copy the unit durably to `target` in `move_to`, or to a free number; never over a file.

        `stage` is its place while it is copied, its own, as other roots may move there, too. What
        an earlier sweep has copied is removed there, and found by its content at the target.
        """
        is_file = source.is_file()
        (self._files.unlink if is_file else self._files.remove_tree)(stage)
        suffix = target.suffix if is_file else ""
        places = map(target.with_name, numbered(target.name.removesuffix(suffix), suffix))
        self._files.make_folder(target.parent, below=move_to)
        while os.path.lexists(place := next(places)):
            if _same(source, place):
                return
        self._copy(source, stage)
        if is_file:
            self._files.move_to_free_name(stage, target)
        else:
            while not self._appears(stage, place):
                place = next(places)

    def _appears(self, stage: Path, place: Path) -> bool:
        """Rename a folder; False when something took the name meanwhile."""
        try:
            self._files.rename(stage, place)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return False
        return True

    def _copy(self, source: Path, stage: Path) -> None:
        """Copy a file, or a folder with all regular files in it; all is durable but the name."""
        if source.is_file():
            self._copy_file(Folder(source.parent), source.name, stage)
            return
        folders = [stage]
        self._files.make_folder(stage)
        for path in _below(source):
            target = stage / path.relative_to(source)
            if path.is_dir():
                self._files.make_folder(target)
                folders.append(target)
            else:
                self._copy_file(Folder(source), str(path.relative_to(source)), target)
        for folder in reversed(folders):
            self._files.sync_folder(folder)

    def _copy_file(self, root: Folder, name: str, target: Path) -> None:
        with root.open(name) as file:
            self._files.copy(file, target)
            status = os.fstat(file.fileno())
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


_TOP = {FAILED, ARCHIVE}


def _unit_in(held: Path) -> PurePosixPath | None:
    """The path of the unit, as deep in the folder as its name says; None if it never came."""
    path = PurePosixPath()
    for _ in range(int(held.name.partition("-")[0])):
        try:
            names = [each.name for each in (held / path).iterdir()]
        except NotADirectoryError:
            return None
        if len(names) != 1 or (held / path / names[0]).is_symlink():
            return None
        path /= names[0]
    return path if path.parts else None


def _below(folder: Path) -> Iterator[Path]:
    """Every folder and regular file below `folder`, folders first; no links."""
    for root, inner, names in os.walk(folder):
        inner.sort()
        for name in inner + sorted(names):
            path = Path(root, name)
            if not path.is_symlink() and (path.is_dir() or path.is_file()):
                yield path


def _same(one: Path, other: Path) -> bool:
    """Whether two files, or two folders with all that is in them, have the same content."""
    return _digests(one) == _digests(other)


def _digests(path: Path) -> dict[str, str] | str:
    if path.is_file():
        return _digest(Folder(path.parent), path.name)
    names = [str(each.relative_to(path)) for each in _below(path) if each.is_file()]
    return {name: _digest(Folder(path), name) for name in names}


def _digest(root: Folder, name: str) -> str:
    try:
        with root.open(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, SidecarError):
        return ""
