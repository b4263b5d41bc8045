"""Finds the folder with a recipe that a person means."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from nstd.documents.config import Config
from nstd.errors import StoreError, in_shell
from nstd.intake.names import is_recipe


def find_recipe_folder(config: Config, wanted: str) -> str:
    """The name, relative to the inbox, of the folder with a recipe that `wanted` means.

    That is such a name, `inbox/` before one, or a path to the folder. Raises StoreError
    `not_found`.
    """
    inbox = config.folder("inbox")
    for name in _names(inbox, Path(wanted)):
        if ".." not in name.parts and name.parts and _has_recipe(inbox / name):
            return str(name)
    known = "`nstd status` lists the folders with a recipe"
    raise StoreError("not_found", f"no recipe is in the folder {wanted!r} of the inbox", known)


def is_recipe_folder(config: Config, wanted: str) -> bool:
    """Whether a name, also without its slash at the end, is that of a folder with a recipe."""
    with suppress(StoreError):
        return bool(find_recipe_folder(config, wanted))
    return False


def folder_meant(config: Config, wanted: str, error: StoreError) -> StoreError:
    """`error` about a job that was not found; if `wanted` is a folder with a recipe, with a hint
    that says so."""
    if not is_recipe_folder(config, wanted):
        return error
    hint = f"{in_shell(f'{wanted}/')} is a folder with a recipe: say it with the slash"
    return StoreError(error.code, error.message, hint)


def _names(inbox: Path, wanted: Path) -> list[Path]:
    """What `wanted` may mean, relative to the inbox; what is nearest to the words comes first."""
    names = [] if wanted.is_absolute() else [wanted]
    if wanted.parts[:1] == (inbox.name,):
        names.append(wanted.relative_to(inbox.name))
    real = wanted.resolve()
    if real.is_relative_to(inbox.resolve()):
        names.append(real.relative_to(inbox.resolve()))
    return names


def _has_recipe(folder: Path) -> bool:
    with suppress(OSError):
        names = os.listdir(folder)  # noqa: PTH208 - names alone
        return any(is_recipe(name) and (folder / name).is_file() for name in names)
    return False
