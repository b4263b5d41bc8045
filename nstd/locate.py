"""Where the pictures that a sidecar names lie: beside it, else in the library of styles."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nstd.names import is_ignored
from nstd.roots import Root, Signature, join

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True)
class Found:
    """A picture that a sidecar names, where it lies, and its state when it was looked at."""

    source: str  # as the sidecar says it
    root: Root
    name: str  # relative to the root
    signature: Signature


class Locator:
    """Finds pictures for sidecars."""

    def __init__(self, inbox: Root, styles: Root) -> None:
        self._inbox, self._styles = inbox, styles

    def find(self, sidecar: str, source: str) -> Found | None:
        """The picture that `sidecar` calls `source`, or None when it is not there.

        Raises SidecarError `path_refused` when it leaves the roots or is no regular file, and
        OSError when a folder cannot be read.
        """
        for root, name in self.places(sidecar, source):
            if any(is_ignored(part) for part in PurePosixPath(name).parts):
                continue
            for spelling in _spellings(root, name):
                try:
                    return Found(source, root, spelling, root.look(spelling))
                except (FileNotFoundError, NotADirectoryError):
                    continue
        return None

    def places(self, sidecar: str, source: str) -> Iterator[tuple[Root, str]]:
        """Where the picture may lie: beside the sidecar, else in the library by name or stem."""
        folder = str(PurePosixPath(sidecar).parent)
        yield self._inbox, join("" if folder == "." else folder, source)
        if ".." not in PurePosixPath(source).parts:
            for suffix in ("", *SUFFIXES):
                yield self._styles, source + suffix

    def nearest(self, sidecar: str, source: str) -> str | None:
        """The name beside the sidecar that looks most like a picture that is not there."""
        folder, name = self._inbox.path / PurePosixPath(sidecar).parent, PurePosixPath(source).name
        try:
            names = [entry.name for entry in folder.iterdir()]
        except OSError:
            return None
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
        return near[0] if near else None


def _spellings(root: Root, name: str) -> Iterator[str]:
    """`name`, and then what a person cannot tell from it: the other Unicode normal form."""
    yield name
    if name.isascii():
        return
    path = PurePosixPath(name)
    wanted = unicodedata.normalize("NFC", path.name)
    try:
        entries = [entry.name for entry in (root.path / path.parent).iterdir()]
    except OSError:
        return
    for entry in entries:
        if entry != path.name and unicodedata.normalize("NFC", entry) == wanted:
            yield str(path.with_name(entry))
