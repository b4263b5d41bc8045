"""Finds the sidecars in the inbox and its sub-folders by reading the directories."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path

from nstd.errors import SidecarError
from nstd.intake.locator import SUFFIXES, Found
from nstd.intake.names import is_ignored, is_recipe, is_sidecar, mistake
from nstd.system.mounts import filesystem_of
from nstd.system.nofollow import Folder, FolderEntry

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
        self.recipes: list[str] = []
        """The names of the recipes."""
        self.governed: dict[str, str] = {}
        """The folders whose pictures a recipe is for, with the name of the nearest recipe."""
        self.odd: list[str] = []
        """Links and the like in the folders of recipes, which look like pictures or folders."""
        self.deep: list[str] = []
        """Folders of recipes that lie too deep to be read."""
        self.files = 0
        """The number of files and folders in the last scan."""

    def read(self) -> tuple[list[str], dict[str, Exception]]:
        """Every sidecar, and the sub-folders that cannot be read. Raises OSError for the root."""
        self._check_mount()
        names: list[str] = []
        unreadable: dict[str, Exception] = {}
        self.mistakes, self.pictures, self.files = [], [], 0
        self.recipes, self.governed, self.odd, self.deep = [], {}, [], []
        folders = [("", "")]
        while folders:
            folder, recipe = folders.pop()
            try:
                entries = self._root.entries(folder)
            except (OSError, SidecarError) as error:
                if not folder:
                    raise
                unreadable[folder] = error
                continue
            self.files += len(entries)
            recipe = self._recipe(folder, entries) or recipe
            if recipe:
                self.governed[folder] = recipe
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_folder:
                    if is_ignored(entry.name):
                        continue
                    if name.count("/") < DEPTH:
                        folders.append((name, recipe))
                    elif recipe:
                        self.deep.append(name)
                elif recipe and not entry.is_file and self._is_odd(name, entry.name):
                    self.odd.append(name)
                elif is_sidecar(entry.name):
                    names.append(name)
                elif not recipe:
                    self._note(name, entry.name)
        return sorted(names), unreadable

    def _recipe(self, folder: str, entries: list[FolderEntry]) -> str:
        """The recipe in a folder, by its name; at the top of the inbox there can be none."""
        leaves = sorted(e.name for e in entries if is_recipe(e.name) and not e.is_folder)
        self.recipes += [f"{folder}/{leaf}" if folder else leaf for leaf in leaves[:1]]
        self.mistakes += [f"{folder}/{leaf}" if folder else leaf for leaf in leaves[1:]]
        return self.recipes[-1] if leaves and folder else ""

    def _is_odd(self, name: str, leaf: str) -> bool:
        """Whether an entry that is no regular file looks like a picture, or links to a folder."""
        if is_ignored(leaf):
            return False
        return leaf.lower().endswith(SUFFIXES) or (self._root.path / name).is_dir()

    def in_scopes(self, pictures: Iterable[Found]) -> frozenset[str]:
        """Those of the pictures that lie in a folder with a recipe, by name."""
        if not self.governed:
            return frozenset()
        names = (each.name for each in pictures if each.root == self._root)
        return frozenset(name for name in names if name.rpartition("/")[0] in self.governed)

    def _note(self, name: str, leaf: str) -> None:
        """Remember a file that is not a sidecar, if it may be shown to people."""
        if is_recipe(leaf):
            return  # remembered already
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
