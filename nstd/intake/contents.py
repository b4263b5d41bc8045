"""Which files of a recipe's folder are contents, and why the others are passed over."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from nstd.documents.names import check_picture_path
from nstd.documents.recipe import PICTURE, RecipeFile, pattern_of
from nstd.errors import SidecarError
from nstd.intake.first_look import HeldFile, Rank
from nstd.intake.locator import is_picture, normal
from nstd.intake.made_note import key_of
from nstd.intake.names import is_ignored, is_recipe, is_sidecar, unsupported
from nstd.system.nofollow import Signature, join

_LIVE = (".jpg", ".jpeg", ".heic", ".heif")
"""Suffixes of pictures beside which telephones put a film."""
BAD_NAME = "its name "
"""How the reason begins why a picture is no content that no sidecar could name."""


class Candidate:
    """A picture that the recipe of its folder is for, and that is not made yet."""

    __slots__ = ("folder", "is_stable", "leaf", "signature")

    def __init__(self, folder: str, leaf: str, signature: Signature) -> None:
        self.folder, self.leaf, self.signature = folder, leaf, signature
        self.is_stable = False

    @property
    def name(self) -> str:
        """Relative to the inbox."""
        return f"{self.folder}/{self.leaf}"

    @property
    def rank(self) -> Rank:
        """Its place in the order of arrival."""
        return self.signature.ctime_ns, key_of(self.name)

    @property
    def file(self) -> HeldFile:
        """The file itself, whatever it is called."""
        return HeldFile.of(self.signature)


class NamedPictures:
    """The pictures that sidecars and recipes name: they are no contents of a folder."""

    def __init__(self, by_sidecars: set[str], recipes: Iterable[tuple[str, RecipeFile]]) -> None:
        """`by_sidecars` are normal names; each recipe is given with its name in the inbox."""
        self._by_sidecars, self._by_recipes = by_sidecars, set[str]()
        patterns: list[re.Pattern[str]] = []
        for name, file in recipes:
            for source in file.named:
                try:
                    place = normal(join(name.rpartition("/")[0], source))
                except SidecarError:  # a refused path names no picture
                    continue
                if PICTURE in source:
                    patterns.append(pattern_of(place))
                else:
                    self._by_recipes.add(place)
        self._patterns = patterns

    def says(self, name: str) -> str:
        """Who names the picture `name`; an empty string if nobody does."""
        name = normal(name)
        if name in self._by_sidecars:
            return "a sidecar names it"
        is_named = name in self._by_recipes or any(each.fullmatch(name) for each in self._patterns)
        return "a recipe names it" if is_named else ""


def why_no_content(
    folder: str,
    leaf: str,
    recipe: str,
    file: RecipeFile | None,
    named: NamedPictures,
    beside: Collection[str] = (),
) -> str:
    """Why a file in `folder` is no content of the recipe of that name; empty if it is one.

    `beside` are the names of the files in the folder.

    Without `file`, because the recipe is not valid or not read, only the file itself counts.
    """
    if is_ignored(leaf):
        return "hidden, temporary, or of a program"
    if is_recipe(leaf):
        return "the recipe"
    if is_sidecar(leaf):
        return "a sidecar, which is a job of its own"
    if not is_picture(leaf):
        return what_else(leaf)
    if _is_live_part(leaf, beside):
        return "the moving part of the picture of the same name"
    try:
        check_picture_path(leaf)
    except ValueError as error:
        return f"{BAD_NAME}{error}: rename it"
    name = f"{folder}/{leaf}"
    if file is not None and not file.admits(name.removeprefix(f"{recipe.rpartition('/')[0]}/")):
        return "the recipe's `match` and `skip` leave it out"
    return named.says(name)


def _is_live_part(leaf: str, beside: Collection[str]) -> bool:
    """Whether a telephone has made the film with a picture, and put it beside that."""
    stem, suffix = PurePosixPath(leaf).stem, PurePosixPath(leaf).suffix
    names = (stem + form for each in _LIVE for form in (each, each.upper()))
    return suffix.lower() == ".mov" and any(name in beside for name in names)


def what_else(leaf: str) -> str:
    """Why a file that has no suffix of pictures is passed over."""
    kind = unsupported(leaf)
    return f"{kind}, which is not read: export it as JPEG, PNG or TIFF" if kind else "no picture"
