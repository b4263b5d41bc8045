"""Which pictures of a recipe's folder wait for its release.

A held picture stays held when it is touched, renamed or copied: it is known by its name, by its
inode, or by its bytes. So are many pictures that come from a folder that was renamed, as they would
all be made again.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable
from io import BufferedReader

from nstd.errors import NstdError, in_shell, printable
from nstd.intake.contents import Candidate
from nstd.intake.first_look import FirstLook, FirstLooks, HeldFile
from nstd.intake.made import Made
from nstd.intake.made_note import is_same, key_of
from nstd.logs.log import emit
from nstd.system.nofollow import Folder, Signature

_BUDGET = 0.2
"""Seconds in which one look compares bytes; what is not compared yet is held until then."""


_SAMPLE = 2**12
"""Bytes that are compared first, at each of two places."""


class _Index:
    """The held files of a look, by what they are known by."""

    def __init__(self, look: FirstLook) -> None:
        self.look, self.files = look, dict(look.files)
        self._inodes = {file: name for name, file in self.files.items()}
        self.unsampled: dict[int, set[str]] = defaultdict(set)  # names, by their size
        self.sampled: dict[tuple[int, str], set[str]] = defaultdict(set)
        for name, file in self.files.items():
            self.unsampled[file.size].add(name)

    def knows(self, name: str, file: HeldFile) -> bool:
        """Whether it is held by its name or as the same file."""
        return name in self.files or file in self._inodes

    def add(self, each: Candidate) -> bool:
        """Remember it under its name now; False if that is known."""
        name, file = key_of(each.name), each.file
        if self.files.get(name) == file:
            return False
        if (before := self._inodes.get(file)) is not None:
            self.files.pop(before, None)
        self.files[name] = file
        self._inodes[file] = name
        self.unsampled[file.size].add(name)
        return True


class HeldPictures:
    """Says what is held, and remembers what it recognises. Raises OSError."""

    def __init__(self, root: Folder, looks: FirstLooks, made: Made) -> None:
        self._root, self._looks, self._made = root, looks, made
        self._indices: dict[str, _Index] = {}
        self._digests: dict[tuple[str, bool], tuple[Signature, str]] = {}
        self._asked: set[str] = set()  # the folders that may have been renamed, and were looked at
        self._until: float | None = None  # the budget of a scan begins with the first comparison
        self.undecided: list[Candidate] = []
        """Those of the pictures asked for last whose bytes are not compared yet."""

    def begin(self) -> None:
        """Start a scan of the inbox."""
        self._until = None

    def free(self, folder: str, look: FirstLook, found: list[Candidate]) -> list[Candidate]:
        """Those of the pictures of a recipe in `folder` that are not held."""
        self.undecided = []
        if look.is_open:
            return found
        index = self._indices.get(folder)
        if index is None or index.look is not look:
            index = self._indices[folder] = _Index(look)
        free, is_changed = [], False
        for each in found:
            is_held = self._is_held(index, each)
            if is_held is None:
                self.undecided.append(each)
            elif is_held:
                is_changed |= bool(look.files) and index.add(each)
            else:
                free.append(each)
        if is_changed:
            index.look = look.model_copy(update={"files": index.files})
            self._looks.save(folder, index.look)
        return free

    def _is_held(self, index: _Index, each: Candidate) -> bool | None:
        """Whether it is held; None while its bytes are not compared yet."""
        look = index.look
        if look.holds(each.rank) or index.knows(key_of(each.name), each.file):
            return True
        came_before = look.taken is not None and each.rank <= look.taken
        if came_before or not each.is_stable:
            return False
        return self._is_copy(index, each)

    def _is_copy(self, index: _Index, each: Candidate) -> bool | None:
        """Whether it has the bytes of a held file; None while that is not known yet.

        A few bytes are compared first: many files of a camera have the same size.
        """
        size = each.signature.size
        if not self._sample_held(index, size):
            return None
        try:
            sample = self._digest(each.name, each.signature, part=True)
            if not sample:
                return None
            names = index.sampled.get((size, sample), set()) - {key_of(each.name)}
            compared = {self._is_equal(each, name) for name in names}
        except (OSError, NstdError):  # it cannot be read: its claim will tell
            return False
        return True if True in compared else None if None in compared else False

    def _sample_held(self, index: _Index, size: int) -> bool:
        """Take a sample of all held files of a size; False if there is no time for it."""
        names = index.unsampled.get(size, set())
        while names:
            name = next(iter(names))
            try:
                sample = self._digest(name, self._root.signature(name), part=True)
            except (OSError, NstdError):  # it is gone: nothing can be compared with it
                names.discard(name)
                continue
            if not sample:
                return False
            names.discard(name)
            index.sampled[size, sample].add(name)
        return True

    def _is_equal(self, each: Candidate, name: str) -> bool | None:
        """Whether it has the bytes of the held file `name`; None while that is not known yet.

        Raises OSError and NstdError for the picture itself.
        """
        ours = self._digest(each.name, each.signature)
        try:
            theirs = self._digest(name, self._root.signature(name))
        except (OSError, NstdError):
            return False
        return None if "" in {ours, theirs} else ours == theirs

    def _digest(self, name: str, signature: Signature, *, part: bool = False) -> str:
        """The SHA-256 of a file, or of a part of it; "" if there is no time in this scan."""
        known = self._digests.get((name, part))
        if known is not None and known[0] == signature:
            return known[1]
        if self._until is None:
            self._until = time.monotonic() + _BUDGET
        if time.monotonic() > self._until:
            return ""
        with self._root.open(name) as file:
            digest = _sample_of(file, signature.size) if part else _whole(file)
        self._digests[name, part] = signature, digest
        return digest

    # Folders that were renamed

    def tell_moved(
        self, recipe: str, look: FirstLook, found: list[Candidate], most: int
    ) -> FirstLook:
        """Tell of pictures that were made in a folder that is gone, and hold more than `most`.

        `recipe` is the folder of the recipe. Returns its look, which remembers what was told.
        """
        by_folder: dict[str, list[Candidate]] = defaultdict(list)
        for each in found:
            if each.folder not in self._asked and not self._made.has_notes(each.folder):
                by_folder[each.folder].append(each)
        self._asked |= by_folder.keys()
        for told in look.told:
            by_folder.pop(told, None)
        gone = list(self._made.gone_folders()) if by_folder else []
        for folder, candidates in by_folder.items():
            for was, files in gone:
                there = {signature.inode: signature for signature in files}
                moved = [
                    each
                    for each in candidates
                    if (known := there.get(each.signature.inode)) and is_same(known, each.signature)
                ]
                if moved:
                    look = self._tell(recipe, look, (was, folder), moved, most)
        return look

    def _tell(
        self, recipe: str, look: FirstLook, way: tuple[str, str], moved: list[Candidate], most: int
    ) -> FirstLook:
        was, folder = way
        files = {key_of(each.name): each.file for each in moved} if len(moved) > most else {}
        look = look.model_copy(update={"files": look.files | files, "told": (*look.told, folder)})
        self._looks.save(recipe, look)
        command = "release" if files else "hold"
        effect = "has them made again" if files else "stops those that have not begun"
        emit(
            "recipe.moved",
            folder=printable(folder),
            was=printable(was),
            pictures=len(moved),
            held=len(files),
            hint=f"`nstd {command} {in_shell(printable(f'{recipe}/'))}` {effect}",
        )
        return look


def _whole(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _sample_of(file: BufferedReader, size: int) -> str:
    """The SHA-256 of the middle and of the end: the beginnings of photographs are often alike."""
    digest = hashlib.sha256()
    for place in (size // 2, max(0, size - _SAMPLE)):
        file.seek(place)
        digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def listing(look: FirstLook) -> Callable[[str, Signature], bool]:
    """Tells of a file, by its name and signature, whether it is held; without its bytes."""
    index = _Index(look)

    def is_held(name: str, signature: Signature) -> bool:
        rank = signature.ctime_ns, key_of(name)
        return look.holds(rank) or index.knows(rank[1], HeldFile.of(signature))

    return is_held
