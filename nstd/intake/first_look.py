"""What lay in a folder when its recipe was seen first: more than `limits.folder_first` is held.

A recipe that is dropped over an archive must not cost a week. The first of the pictures are taken,
the others wait until somebody releases them. What comes later is not held, but a held picture that
is touched or renamed is none that comes: so the held ones are listed, too.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from nstd.documents.model import StoredModel, Version
from nstd.errors import NstdError
from nstd.system.durable import Files
from nstd.system.layout import CLAIMS, FIRST_LOOK, MADE
from nstd.system.nofollow import Folder, Signature

Rank = tuple[int, str]
"""When a picture came, by its ctime in nanoseconds, and its name."""
_MOST_BYTES = 2**26


class HeldFile(NamedTuple):
    """A file that is held, whatever its name and its times become."""

    inode: int
    size: int

    @classmethod
    def of(cls, signature: Signature) -> HeldFile:
        """The file that has this signature."""
        return cls(signature.inode, signature.size)


class FirstLook(StoredModel):
    """Pictures after the rank `taken`, up to `held`, wait for their release; none where absent.

    The limits are times of the inbox's own filesystem, so that another clock does no harm. So wait
    `files`, by their names in the inbox. `told` are the folders of which was told that their
    pictures were made elsewhere before.
    """

    taken: Rank | None = None
    held: Rank | None = None
    files: dict[str, HeldFile] = Field(default_factory=dict)
    told: tuple[str, ...] = ()
    schema_version: Version = 1

    @classmethod
    def of(cls, found: Mapping[Rank, HeldFile], most: int) -> FirstLook:
        """The first look at these pictures, of which at most `most` are taken."""
        if len(found) <= most:
            return cls()
        ranks = sorted(found)
        files = {rank[1]: found[rank] for rank in ranks[most:]}
        return cls(taken=ranks[most - 1], held=ranks[-1], files=files)

    def holds(self, rank: Rank) -> bool:
        """Whether the picture waits for its release."""
        return self.taken is not None and self.held is not None and self.taken < rank <= self.held

    @property
    def is_open(self) -> bool:
        """Whether it holds nothing."""
        return self.taken is None and not self.files


ALL = FirstLook(taken=(0, ""), held=(2**63, ""))
"""Somebody holds the whole folder."""


class FirstLooks:
    """The first looks at all recipe folders, on disk beside the notes of what is made.

    Raises OSError when they cannot be read or written.
    """

    def __init__(self, root: Folder, files: Files) -> None:
        self._root, self._files = root, files
        self._looks: dict[str, FirstLook] = {}

    def get(self, folder: str) -> FirstLook | None:
        """The first look at `folder`; None before there was one."""
        if folder not in self._looks and (look := self._read(folder)):
            self._looks[folder] = look
        return self._looks.get(folder)

    def note(self, folder: str, found: Mapping[Rank, HeldFile], most: int) -> FirstLook:
        """Look at a folder for the first time: of what is there, at most `most` are taken."""
        look = FirstLook.of(found, most)
        path = self._path(folder)
        draft = path.with_name(f"{FIRST_LOOK}.draft")
        self._files.make_folder(path.parent, below=self._root.path)
        self._files.unlink(draft)
        self._files.write_new(draft, iter([_json(look)]))
        self._files.link_new(draft, path)  # if another daemon was first, its look counts
        self._files.unlink(draft)
        return self.get(folder) or look

    def hold(self, folder: str, *, is_held: bool) -> bool:
        """Let all that is held in `folder` go, or hold all that is and comes there.

        False where that changes nothing.
        """
        known = self.get(folder)
        told = known.told if known else ()
        look = (ALL if is_held else FirstLook()).model_copy(update={"told": told})
        if known == look:
            return False
        self.save(folder, look)
        return True

    def save(self, folder: str, look: FirstLook) -> None:
        """Replace the look at a folder, durably."""
        path = self._path(folder)
        self._files.make_folder(path.parent, below=self._root.path)
        self._files.write(path, _json(look))
        self._looks[folder] = look

    def forget(self, folders: set[str]) -> None:
        """Keep only what is known of these folders; the others are read again."""
        for folder in self._looks.keys() - folders:
            del self._looks[folder]

    def _path(self, folder: str) -> Path:
        return self._root.path / CLAIMS / MADE / folder / FIRST_LOOK

    def _read(self, folder: str) -> FirstLook | None:
        try:
            with self._root.open(f"{CLAIMS}/{MADE}/{folder}/{FIRST_LOOK}") as file:
                return FirstLook.model_validate_json(file.read(_MOST_BYTES))
        except FileNotFoundError:
            return None
        except ValidationError:  # torn by a power cut: look again
            self._files.unlink(self._path(folder))
            return None
        except NstdError as error:
            raise OSError(errno.ELOOP, error.message) from None


def _json(look: FirstLook) -> bytes:
    return look.model_dump_json().encode() + b"\n"
