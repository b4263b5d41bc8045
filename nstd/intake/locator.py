"""Finds the pictures that a sidecar names: beside it, else in the library of styles."""

from __future__ import annotations

import difflib
import errno
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nstd.errors import SidecarError, printable
from nstd.intake.names import is_ignored
from nstd.system.nofollow import Folder, Signature, join
from nstd.system.units import format_size

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
                    found := _look(source, root, name)
                ):
                    return found
        except SidecarError as error:
            message = f"{printable(sidecar)}: {error.message}"
            raise SidecarError(error.code, message, error.hint) from None
        return None

    def places(self, sidecar: str, source: str) -> Iterator[tuple[Folder, str]]:
        """Where the picture may lie: beside the sidecar, else in the library by name or stem."""
        yield self._inbox, join(sidecar.rpartition("/")[0], source)
        if ".." not in PurePosixPath(source).parts:
            for suffix in ("", *SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)):
                yield self._styles, join("", source + suffix)

    def nearest(self, sidecar: str, source: str) -> str | None:
        """The most similar name beside the sidecar, to suggest when a picture does not exist."""
        try:
            entries = self._inbox.entries(str(PurePosixPath(sidecar).parent))
        except (OSError, SidecarError):
            return None
        names = [entry.name for entry in entries if not is_ignored(entry.name)]
        near = difflib.get_close_matches(PurePosixPath(source).name, names, n=1, cutoff=0.7)
        return near[0] if near else None


def normal(name: str) -> str:
    """`name` in Unicode normal form C: systems write the same letters as different bytes."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _look(source: str, root: Folder, name: str) -> Found | None:
    try:
        return Found(source, root, name, root.look(name))
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
    spelled = None if name.isascii() else _spelled(root, name)
    return Found(source, root, spelled, root.look(spelled)) if spelled else None


def _spelled(root: Folder, name: str) -> str | None:
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


def too_large(sidecar: str, pictures: Iterable[Found], most: int) -> SidecarError | None:
    """The error for a picture with more than `most` bytes, which is not copied; else None."""
    for picture in pictures:
        if picture.signature.size > most:
            size = format_size(picture.signature.size)
            return SidecarError(
                "picture_refused",
                f"{printable(sidecar)}: {picture.source!r} has {size}, more than the limit of "
                f"{format_size(most)}",
                "make it smaller, or raise limits.picture_bytes",
            )
    return None
