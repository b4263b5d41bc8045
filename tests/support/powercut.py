"""Power cuts: what a disk may hold after one, at any moment of a recorded run.

`Recorder` looks at the real folder before every step of the one layer of file operations and at
every fsync, whoever calls it; so what bypasses the layer is seen as well. `Disk` replays that and
knows what is durable: the bytes of a file as of its last fsync, the names in a folder as of the
last fsync of the folder. `states` gives what a cut may leave:

- only what is durable; all that was written; all names with none, half or most of the unsynced
  bytes; all bytes under the durable names; and one folder written back alone, or all but one.

One thing is taken for granted, as every filesystem with a journal gives it: a rename never loses
both of its names. Hard links are kept.
"""

from __future__ import annotations

import os
import pickle
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from support.forge import FaultyFiles, serve

Names = dict[int, dict[str, int]]
"""The entries of each folder, by inode."""
Bytes = dict[int, bytes]
"""The content of each file, by inode."""
Tree = tuple[tuple[str, int, bytes | None], ...]
"""Each path, which of them are one file, and what is in it."""


@dataclass
class FollowedState:
    """A tree as it was seen; `synced` is the inode that was fsynced just then, if any."""

    root: int
    names: Names = field(default_factory=dict)
    data: Bytes = field(default_factory=dict)
    synced: int | None = None


class Recorder(FaultyFiles):
    """Appends a look at `root` to the file `record` at every step and every fsync."""

    def __init__(self, root: str, record: str) -> None:
        super().__init__()
        self._root, self._record = Path(root), Path(record)
        self._held: dict[int, int] = {}  # a held inode is not used again for another file
        setattr(os, "fsync", self._fsync)  # noqa: B010 - for whoever calls it
        self._look(None)

    def step(self, operation: str, path: Path) -> None:
        """Look at the disk as it is before the step."""
        super().step(operation, path)
        self._look(None)

    def _fsync(self, file: int | BinaryIO) -> None:
        descriptor = file if isinstance(file, int) else file.fileno()
        self._look(None)
        self._look(os.fstat(descriptor).st_ino)

    def _look(self, synced: int | None) -> None:
        look = FollowedState(self._root.stat().st_ino, synced=synced)
        self._walk(self._root, look)
        with self._record.open("ab") as file:
            pickle.dump(look, file)

    def _walk(self, path: Path, look: FollowedState) -> None:
        inode = self._hold(path)
        if stat.S_ISDIR(path.lstat().st_mode):
            entries = {each.name: each for each in path.iterdir()}
            look.names[inode] = {name: self._hold(each) for name, each in entries.items()}
            for each in entries.values():
                self._walk(each, look)
        else:
            look.data[inode] = path.read_bytes()

    def _hold(self, path: Path) -> int:
        inode = path.lstat().st_ino
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_PATH | os.O_NOFOLLOW)
        return inode


def recorded(path: Path) -> Iterator[FollowedState]:
    """The looks of a recorded run."""
    with path.open("rb") as file:
        while file.peek(1):
            yield pickle.load(file)


@dataclass(frozen=True)
class State:
    """What a disk may hold after a power cut, and which of the variants it is."""

    variant: str
    root: int
    names: Names
    data: Bytes

    def files(self) -> Iterator[tuple[str, int]]:
        """Every path with its inode, folders before what is in them."""
        queue = [("", self.root)]
        while queue:
            path, inode = queue.pop()
            if path:
                yield path, inode
            for name, below in sorted(self.names.get(inode, {}).items()):
                queue.append((f"{path}/{name}" if path else name, below))

    @property
    def tree(self) -> Tree:
        """Equal for states that cannot be told apart."""
        numbers = dict[int, int]()
        return tuple(
            (path, numbers.setdefault(inode, len(numbers)), self.data.get(inode))
            for path, inode in self.files()
        )

    def lay_down(self, folder: Path) -> None:
        """Make the tree below `folder`, which must not exist."""
        folder.mkdir(parents=True)
        made: dict[int, Path] = {}
        for path, inode in self.files():
            target = folder / path
            if inode in self.names:
                target.mkdir()
            elif inode in made:
                target.hardlink_to(made[inode])
            else:
                target.write_bytes(self.data.get(inode, b""))
                made[inode] = target

    @property
    def inodes(self) -> set[int]:
        """Everything that can be reached."""
        return {inode for _, inode in self.files()}


class Disk:
    """A replayed run: what is seen, and what of it is durable. The first look is all durable."""

    def __init__(self, first: FollowedState) -> None:
        self._seen = first
        self._names = {inode: dict(entries) for inode, entries in first.names.items()}
        self._data = dict(first.data)

    def heed(self, look: FollowedState) -> None:
        """The next look: the disk changed, or something was synced."""
        self._seen, synced = look, look.synced
        for inode in look.names:
            self._names.setdefault(inode, {})
        if synced in look.names:
            self._names[synced] = dict(look.names[synced])
        elif synced in look.data:
            self._data[synced] = look.data[synced]

    def states(self) -> Iterator[State]:
        """What the disk may hold if the power goes now."""
        seen, root, durable = self._seen, self._seen.root, dict(self._names)
        kept = {inode: self._data.get(inode, b"") for inode in seen.data} | self._data
        half = {inode: _short(data, kept[inode], 0.5) for inode, data in seen.data.items()}
        most = {inode: _short(data, kept[inode], 0.95) for inode, data in seen.data.items()}
        yield State("nothing unsynced", root, durable, kept)
        yield State("everything", root, seen.names, kept | seen.data)
        yield State("names, no data", root, seen.names, kept)
        yield State("names, half the data", root, seen.names, kept | half)
        yield State("names, most of the data", root, seen.names, kept | most)
        yield State("data, no names", root, durable, kept | seen.data)
        least = State("", root, durable, kept).inodes & State("", root, seen.names, kept).inodes
        for inode, entries in seen.names.items():
            if entries == durable[inode]:
                continue
            alone = durable | {inode: entries}
            others = durable | seen.names | {inode: durable[inode]}
            for variant, names in (("one folder", alone), ("all but one folder", others)):
                state = State(variant, root, names, kept)
                if least <= state.inodes:  # else a rename would have lost both of its names
                    yield state


def _short(data: bytes, kept: bytes, share: float) -> bytes:
    """`data` with a share of what is not yet durable, and never all of it."""
    if not data.startswith(kept):
        kept = b""
    more = len(data) - len(kept)
    return data[: len(kept) + min(int(more * share), max(0, more - 4))]


def cuts(record: Path) -> Iterator[tuple[int, State]]:
    """Every different state that a power cut in the recorded run may leave, and when."""
    looks = recorded(record)
    disk, known, last = Disk(next(looks)), set[Tree](), None
    for moment, look in enumerate(looks):
        if last == look:  # nothing was done
            continue
        last = look
        disk.heed(look)
        for state in disk.states():
            if (tree := state.tree) not in known:
                known.add(tree)
                yield moment, state


if __name__ == "__main__":
    from support import powercut  # noqa: PLW0406 - looks are pickled under the name that tests know

    serve(powercut.Recorder)
