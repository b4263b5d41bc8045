"""What was made of recipe folders: a note for the bytes of each picture, shared by all daemons.

The note `inbox/.nstd/made/FOLDER/SHA256.json` is taken by a hard link, which succeeds once. Its
source lies in the claim, `inbox/.nstd/ID/.made`: while that is there, the claim may still be undone
and the note given back. All notes are read once; then a look at a picture compares its signature.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydantic import ValidationError

from nstd.errors import NstdError, printable
from nstd.intake.made_note import MadeNote, is_same, key_of
from nstd.system.durable import Files
from nstd.system.layout import CLAIMED_NOTES, CLAIMS, FIRST_LOOK, MADE
from nstd.system.nofollow import Folder, Signature

_MOST_BYTES = 2**20
_SHA256 = re.compile("[0-9a-f]{64}")


class _Known(NamedTuple):
    names: tuple[str, ...]
    gone: float | None


class _FolderNotes:
    """The notes of one folder, by the SHA-256, and the files that they are about, by name."""

    def __init__(self) -> None:
        self.notes: dict[str, _Known] = {}
        self.files: dict[str, tuple[Signature, str]] = {}

    def add(self, note: MadeNote) -> None:
        self.notes[note.sha256] = _Known(tuple(note.files), note.gone)
        for name, signature in note.files.items():
            self.files[name] = signature, note.sha256

    def drop(self, sha256: str) -> None:
        known = self.notes.pop(sha256, None)
        for name in known.names if known else ():
            if self.files.get(name, (None, ""))[1] == sha256:
                del self.files[name]

    def left(self, there: set[str]) -> set[str]:
        """The bytes of which a file is there."""
        return {sha256 for name, (_, sha256) in self.files.items() if name in there}


class Made:
    """The notes of all folders. Raises OSError when they cannot be read or written."""

    def __init__(self, root: Folder, files: Files) -> None:
        self._root, self._files = root, files
        self.path = root.path / CLAIMS / MADE
        self._folders: dict[str, _FolderNotes] = {}

    def is_known(self, folder: str, leaf: str, signature: Signature) -> bool:
        """Whether this file of `folder` was met before and is one of those that are made."""
        known = self._notes(folder).files.get(key_of(leaf))
        return known is not None and is_same(known[0], signature)

    def is_likely(self, folder: str, leaf: str, size: int) -> bool:
        """Whether a file is one of those, as far as its name and its size in bytes tell."""
        known = self._notes(folder).files.get(key_of(leaf))
        return known is not None and known[0].size == size

    def has_notes(self, folder: str) -> bool:
        """Whether anything was made or used in this folder."""
        return bool(self._notes(folder).notes)

    def gone_folders(self) -> Iterator[tuple[str, set[Signature]]]:
        """The folders that are gone, with the files that were made there."""
        for path, _, names in os.walk(self.path):
            folder = os.fspath(Path(path).relative_to(self.path))
            if names and folder != "." and not (self._root.path / folder).exists():
                yield folder, {signature for signature, _ in self._notes(folder).files.values()}

    def find(self, folder: str, sha256: str) -> MadeNote | None:
        """The note about these bytes in this folder, if there is one, whoever has written it.

        A note that a power cut has torn counts: its name is what was taken.
        """
        try:
            with self._root.open(f"{CLAIMS}/{MADE}/{folder}/{sha256}.json") as file:
                data = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return None
        except NstdError as error:  # somebody has put something else there
            raise OSError(errno.ELOOP, error.message) from None
        try:
            return MadeNote.model_validate_json(data)
        except ValidationError:
            return MadeNote(folder=printable(folder), sha256=sha256, job="", made=0.0)

    def is_final(self, folder: str, note: MadeNote) -> bool:
        """Whether a note that was found stays: the claim that took it is over, and not undone.

        Only then may it be changed: else it could come back after its claim was undone.
        """
        if note.job and (self._root.path / CLAIMS / note.job).exists():
            return False
        now = self.find(folder, note.sha256)  # no claim is left that could give it back now
        return now is not None and now.job == note.job

    def meet(self, folder: str, note: MadeNote, leaf: str, signature: Signature) -> str:
        """A file turned out to have bytes that are made: remember its name.

        Returns another name of the same bytes that is still there; an empty string if there is
        none, or if the file was met under its own name before, and only touched since.
        """
        key = key_of(leaf)
        others = {
            name: known
            for name, known in note.files.items()
            if name != key and self._is_there(f"{folder}/{name}", known)
        }
        self._rewrite(folder, note, files={**others, key: signature}, gone=None)
        return "" if key in note.files else next(iter(others), "")

    def take(self, claim: Path, folder: str, note: MadeNote) -> bool:
        """Take the note for a claim, durably; False when these bytes are taken already."""
        name = f"{note.sha256}.json"
        ours, target = claim / CLAIMED_NOTES / folder / name, self.path / folder / name
        for path in (ours, target):
            self._files.make_folder(path.parent, below=self._root.path)
        self._files.write_new(ours, iter([_json(note)]))
        self._files.sync_folder(ours.parent)
        return self._files.link_new(ours, target)

    def remember(self, folder: str, note: MadeNote) -> None:
        """The claim that took this note is done."""
        self._notes(folder).add(note)

    def give_back(self, job_id: str, ours: PurePosixPath) -> None:
        """The claim `job_id` is undone: remove its note, whose path is FOLDER/SHA256.json."""
        folder, sha256 = str(ours.parent), ours.stem
        note = self.find(folder, sha256)
        if note is None or note.job not in (job_id, ""):
            return
        self._remove(folder, sha256)

    # Forgetting

    def contents(self, folder: str) -> Iterator[MadeNote]:
        """The notes of what the recipe has made of a folder."""
        return (note for note in self._read(folder) if note.is_content)

    def forget_contents(self, folder: str, until: float) -> int:
        """Forget, durably, what was made in a folder until then: it will be made once more.

        `until` is in seconds since the epoch. Returns how many notes these were.
        """
        old = [note.sha256 for note in self.contents(folder) if note.made <= until]
        for sha256 in old:
            self._unlink(folder, sha256)
        if old:
            self._files.sync_folder(self.path / folder)
        return len(old)

    def tidy(self, longest: float) -> Iterator[None]:
        """Forget, step by step, the bytes of which no file was left for `longest` seconds."""
        for path, _, names in os.walk(self.path):
            folder = os.fspath(Path(path).relative_to(self.path))
            if folder == "." or not names:
                continue
            there = self._listed(folder)
            yield
            if there is not None:
                yield from self._tidy_folder(folder, there, longest)

    def _tidy_folder(self, folder: str, there: set[str], longest: float) -> Iterator[None]:
        notes, now = self._notes(folder), time.time()
        left = notes.left(there)
        for sha256, (_, gone) in list(notes.notes.items()):
            if sha256 not in left and gone is not None and now - gone > longest:
                self._remove(folder, sha256)
            elif (sha256 in left) == (gone is not None):
                if note := self.find(folder, sha256):
                    self._rewrite(folder, note, gone=None if sha256 in left else now)
            else:
                continue
            yield
        if not notes.notes and not (self._root.path / folder).exists():
            self._files.unlink(self.path / folder / FIRST_LOOK)
            self._files.remove_empty(self.path / folder)
            self._folders.pop(folder, None)

    def _listed(self, folder: str) -> set[str] | None:
        """The names in a folder of the inbox; None when that cannot be read now."""
        try:
            return {key_of(entry.name) for entry in self._root.entries(folder)}
        except FileNotFoundError:
            return set()
        except (OSError, NstdError):
            return None

    # The disk

    def _notes(self, folder: str) -> _FolderNotes:
        if folder not in self._folders:
            notes = _FolderNotes()
            for note in self._read(folder):
                notes.add(note)
            self._folders[folder] = notes
        return self._folders[folder]

    def _read(self, folder: str) -> Iterator[MadeNote]:
        """The notes of a folder as they are on disk now."""
        try:
            entries = self._root.entries(f"{CLAIMS}/{MADE}/{folder}")
        except FileNotFoundError:
            return
        except NstdError as error:
            raise OSError(errno.ELOOP, error.message) from None
        for entry in entries:
            stem = entry.name.removesuffix(".json")
            if _SHA256.fullmatch(stem) and (note := self.find(folder, stem)):
                yield note

    def _rewrite(self, folder: str, note: MadeNote, **update: object) -> None:
        """Change what a note says beside its name; torn by a power cut, it is written again."""
        note = note.model_copy(update=update)
        path = self.path / folder / f"{note.sha256}.json"
        self._files.write(path, _json(note), durable=False)
        self._notes(folder).drop(note.sha256)
        self._notes(folder).add(note)

    def _remove(self, folder: str, sha256: str) -> None:
        with suppress(FileNotFoundError):  # somebody has removed the folder
            self._unlink(folder, sha256)
            self._files.sync_folder(self.path / folder)

    def _unlink(self, folder: str, sha256: str) -> None:
        self._files.unlink(self.path / folder / f"{sha256}.json")
        if folder in self._folders:
            self._folders[folder].drop(sha256)

    def _is_there(self, name: str, known: Signature) -> bool:
        try:
            return is_same(self._root.signature(name), known)
        except (OSError, NstdError):
            return False


def _json(note: MadeNote) -> bytes:
    return note.model_dump_json().encode() + b"\n"
