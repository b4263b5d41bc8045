"""Finds the pictures that a sidecar names: beside it, else in the library of styles."""

from __future__ import annotations

import difflib
import errno
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nstd.documents.film import FILM_SUFFIXES, split_frame
from nstd.errors import SidecarError, printable
from nstd.intake.names import is_ignored
from nstd.system.nofollow import Folder, Signature, join

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif")
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


@dataclass(frozen=True)
class Found:
    """A picture that a sidecar names: where it is, and the state of its file."""

    source: str  # as the sidecar says it
    root: Folder
    name: str  # relative to the root
    signature: Signature

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, of frames."""
        return self.source.endswith("/")

    @property
    def frame(self) -> int | None:
        """The frame of a film that is meant, from 0; None: the whole file."""
        return split_frame(self.source)[1]

    @property
    def key(self) -> str:
        """A key that is unique to this file."""
        return f"{self.root.path}//{self.name}"


class Locator:
    """Finds pictures for sidecars."""

    def __init__(self, inbox: Folder, styles: Folder) -> None:
        self._inbox, self._styles = inbox, styles

    def find(self, sidecar: str, source: str) -> Found | None:
        """The picture that `sidecar` calls `source`, or None when it does not exist.

        Raises SidecarError `path_refused` when the path leaves the roots or is not a regular file,
        and OSError when a folder or the picture cannot be read.
        """
        try:
            for root, name in self.places(sidecar, source):
                if not any(is_ignored(part) for part in name.split("/")) and (
                    found := _find_in(source, root, name)
                ):
                    return found
            refuse_ignored(source)
        except SidecarError as error:
            message = f"{printable(sidecar)}: {error.message}"
            raise SidecarError(error.code, message, error.hint) from None
        return None

    def places(self, sidecar: str, source: str) -> Iterator[tuple[Folder, str]]:
        """Where the picture may lie: beside the sidecar, else in the library by name or stem."""
        source, _ = split_frame(source)
        yield self._inbox, join(sidecar.rpartition("/")[0], source)
        if ".." not in PurePosixPath(source).parts:
            for suffix in ("", *SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)):
                yield self._styles, join("", source + suffix)

    @staticmethod
    def beside(sidecar: str, source: str) -> str | None:
        """The normal name of the inbox picture that `sidecar` may mean; None for a refused path."""
        try:
            return normal(join(sidecar.rpartition("/")[0], split_frame(source)[0]))
        except SidecarError:
            return None

    def nearest(self, sidecar: str, source: str) -> str:
        """The existing picture whose name is most similar to `source`, which does not exist.

        Returned as the sidecar should name it; an empty string when none is similar. Upper and
        lower case are the same, and the suffix may be absent or another. Pictures beside the
        sidecar, in the folder that `source` names, and in the library are compared.
        """
        wanted = PurePosixPath(source)
        there = self._nearby(sidecar, wanted.parent)
        for form in (_folded, _stem):
            for name, said in there.items():
                if form(name) == form(wanted.name) or form(name) == _folded(wanted.name):
                    return said
        form = _folded if wanted.suffix else _stem
        folded = {form(name): said for name, said in there.items()}
        near = difflib.get_close_matches(_folded(wanted.name), folded, n=1, cutoff=0.7)
        return folded[near[0]] if near else ""

    def _nearby(self, sidecar: str, parent: PurePosixPath) -> dict[str, str]:
        """The pictures that the sidecar could name: file names, and how the sidecar names each."""
        beside = str(PurePosixPath(sidecar).parent)
        places = {
            (self._inbox, beside): "",
            (self._inbox, str(PurePosixPath(beside, parent))): "" if parent.name == "" else parent,
            (self._styles, ""): "",
        }
        there: dict[str, str] = {}
        for (root, folder), said in places.items():
            try:
                entries = root.entries("" if folder == "." else folder)
            except (OSError, SidecarError):
                continue
            for entry in entries:
                if entry.name.lower().endswith(SUFFIXES) and not is_ignored(entry.name):
                    there.setdefault(entry.name, str(PurePosixPath(said, entry.name)))
        return there


def is_picture(name: str) -> bool:
    """Whether the name has a suffix of pictures, or of films."""
    return name.lower().endswith((*SUFFIXES, *FILM_SUFFIXES))


def refuse_ignored(source: str) -> None:
    """Raise SidecarError `path_refused` for a name that is ignored, and so will never be found."""
    for part in PurePosixPath(source).parts:
        if part != ".." and is_ignored(part):
            raise SidecarError(
                "path_refused",
                f"'{printable(source)}' is never seen: names like {printable(part)!r} are those of "
                "hidden, temporary or half-copied files",
                "rename the picture, and name it so in the sidecar",
            )


def advice_on_name(source: str) -> str:
    """Advice about a name that seems to be several names or a pattern; else an empty string."""
    parts = [part.strip() for part in re.split(r"[,;]", source)]
    if len(parts) > 1 and all(part.lower().endswith(SUFFIXES) for part in parts):
        return f"; several pictures are a list: [{', '.join(parts)}]"
    if "*" in source or "?" in source:
        pattern = re.sub(r"([^\w*?\[\]/.,@%+=:~-])", r"\\\1", source)  # for a shell to fill in
        return f"; a sidecar takes no patterns: `nstd submit {pattern} STYLE` makes a job of each"
    return ""


def _folded(name: str) -> str:
    return normal(name).casefold()


def _stem(name: str) -> str:
    return _folded(PurePosixPath(name).stem)


def normal(name: str) -> str:
    """`name` in Unicode normal form C: systems write the same letters as different bytes."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _find_in(source: str, root: Folder, name: str) -> Found | None:
    sign = root.folder_signature if source.endswith("/") else root.signature
    try:
        return Found(source, root, name, sign(name))
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
    spelled = None if name.isascii() else _name_on_disk(root, name)
    return Found(source, root, spelled, sign(spelled)) if spelled else None


def _name_on_disk(root: Folder, name: str) -> str | None:
    """The name on disk that differs from `name` only in its Unicode normal form, if any."""
    folder = ""
    for part in PurePosixPath(name).parts:
        try:
            names = [entry.name for entry in root.entries(folder)]
        except (FileNotFoundError, NotADirectoryError):
            return None
        same = [given for given in names if normal(given) == normal(part)]
        if not same:
            return None
        folder = f"{folder}/{part if part in same else same[0]}".lstrip("/")
    return folder
