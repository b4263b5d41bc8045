"""The pairs of a folder: sidecars and their pictures, as in an inbox."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nstd.documents.sidecar import Sidecar, parse_sidecar
from nstd.documents.sidecar_writer import dump, set_option
from nstd.documents.strict_yaml import MAX_BYTES
from nstd.errors import BenchError, PictureError, printable
from nstd.intake.locator import Found, Locator
from nstd.intake.names import is_sidecar
from nstd.system.durable import Files
from nstd.system.nofollow import Folder

_HINT = "lay sidecars (NAME.yaml with `content:` and `style:`) beside their pictures there"


@dataclass(frozen=True)
class Pair:
    """A sidecar of the folder, its content, and the paths of its pictures."""

    name: str
    root: Folder
    values: dict[str, Any]
    pictures: tuple[Found, ...]  # as in `Sidecar.references`: the content, the first style, others

    @property
    def content(self) -> Path:
        """The picture that is restyled."""
        return _path(self.pictures[0])

    @property
    def style(self) -> Path:
        """The first of its styles."""
        return _path(self.pictures[1])

    def sidecar(self, options: Sequence[str], name: str) -> bytes:
        """The text of the same sidecar with more `options`, and with the result name `name`.

        Its priority is left out, because the bench decides the order.
        Raises SidecarError for an option that is not `key=value`.
        """
        values = copy.deepcopy(self.values)
        for option in options:
            set_option(values, option)
        values.setdefault("output", {})["name"] = name
        values.pop("priority", None)
        return dump(values)

    def copy_to(self, inbox: Path) -> None:
        """Copy its pictures with their names, except those of the library."""
        files = Files()
        for found in self.pictures:
            target = inbox / found.name
            if found.root == self.root and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with found.root.open(found.name) as file:
                    files.copy(file, target)


def read_pairs(folder: Path, styles: Path) -> list[Pair]:
    """The pairs in `folder`, by name; `styles` is the library of styles.

    Raises BenchError for a folder that is absent or without sidecars, SidecarError and
    PictureError for pairs that cannot be used.
    """
    root = Folder(folder.resolve())
    try:
        names = sorted(entry.name for entry in root.entries("") if is_sidecar(entry.name))
    except OSError as error:
        raise BenchError("not_found", f"{printable(folder)}: {error.strerror}", _HINT) from None
    if not names:
        raise BenchError("not_found", f"{printable(folder)}: there are no sidecars", _HINT)
    stems = [Path(name).stem for name in names]
    if double := [stem for stem in stems if stems.count(stem) > 1]:
        message = f"{printable(folder)}: two sidecars are called {double[0]!r}"
        raise BenchError("sidecar_invalid", message, "rename one of them")
    locator = Locator(root, Folder(styles))
    return [_read_pair(root, name, locator) for name in names]


def _read_pair(root: Folder, name: str, locator: Locator) -> Pair:
    with root.open(name) as file:
        sidecar = parse_sidecar(file.read(MAX_BYTES + 1), printable(root.path / name)).sidecar
    pictures = tuple(_find(locator, name, source) for source in _sources(sidecar))
    values = sidecar.model_dump(mode="json", exclude_unset=True)
    return Pair(Path(name).stem, root, values, pictures)


def _sources(sidecar: Sidecar) -> list[str]:
    """Every picture once, the content and the first style first."""
    first = [sidecar.content, sidecar.style[0].image]
    return first + [source for source in sidecar.pictures if source not in first]


def _find(locator: Locator, sidecar: str, source: str) -> Found:
    found = locator.find(sidecar, source)
    if found is None:
        near = locator.nearest(sidecar, source)
        hint = f"did you mean {near!r}?" if near else "copy it there, or correct the sidecar"
        message = f"{printable(sidecar)}: there is no picture {printable(source)!r}"
        raise PictureError("picture_missing", message, hint)
    return found


def _path(found: Found) -> Path:
    return found.root.path / found.name
