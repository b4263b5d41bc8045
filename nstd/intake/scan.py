"""Finds the sidecars in the inbox and its sub-folders by reading the directories."""

from __future__ import annotations

import errno
from pathlib import Path

from nstd.errors import SidecarError
from nstd.intake.locator import SUFFIXES
from nstd.intake.names import is_ignored, is_sidecar, mistake
from nstd.system.mounts import filesystem_of
from nstd.system.nofollow import Folder

DEPTH = 16
"""How deep sub-folders are read."""
_SOME = 200
"""The most pictures and the most mistakes that are remembered."""


class Scan:
    """Reads the directories, and remembers the filesystem that the inbox is on."""

    def __init__(self, root: Folder) -> None:
        self._root = root
        self._mount: Path | None = None
        self.mistakes: list[str] = []
        """Files whose names look like a mistake for a sidecar or a picture."""
        self.pictures: list[str] = []
        """The names of pictures, or of some if there are many."""
        self.files = 0
        """The number of files and folders in the last scan."""

    def read(self) -> tuple[list[str], dict[str, Exception]]:
        """Every sidecar, and the sub-folders that cannot be read. Raises OSError for the root."""
        self._check_mount()
        names: list[str] = []
        unreadable: dict[str, Exception] = {}
        self.mistakes, self.pictures, self.files = [], [], 0
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                entries = self._root.entries(folder)
            except (OSError, SidecarError) as error:
                if not folder:
                    raise
                unreadable[folder] = error
                continue
            self.files += len(entries)
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_folder:
                    if name.count("/") < DEPTH and not is_ignored(entry.name):
                        folders.append(name)
                elif is_sidecar(entry.name):
                    names.append(name)
                else:
                    self._note(name, entry.name)
        return sorted(names), unreadable

    def _note(self, name: str, leaf: str) -> None:
        """Remember a file that is not a sidecar, if it may be shown to people."""
        if leaf.lower().endswith(SUFFIXES):
            if len(self.pictures) < _SOME:
                self.pictures.append(name)
        elif len(self.mistakes) < _SOME and not is_ignored(leaf) and mistake(leaf):
            self.mistakes.append(name)

    def _check_mount(self) -> None:
        """Raise OSError when the filesystem of the inbox was unmounted: the empty folder of the
        mount point would look like an empty inbox."""
        mount = filesystem_of(self._root.path).point
        if self._mount is not None and mount != self._mount and self._mount.is_relative_to(mount):
            raise OSError(errno.ENODEV, f"nothing is mounted at {self._mount} any more")
        self._mount = mount
