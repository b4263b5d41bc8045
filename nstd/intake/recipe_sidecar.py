"""The sidecar that a recipe makes for a picture, which from there on is claimed as any other."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import PurePosixPath

from nstd.documents.recipe import PICTURE
from nstd.intake.plan import safe_name
from nstd.intake.ready import Ready, RecipeUse
from nstd.system.nofollow import Folder


def with_sidecar(ready: Ready, recipe: RecipeUse, inbox: Folder) -> Ready:
    """`ready` with the sidecar that the recipe makes for it, beside the picture.

    The names of other pictures are relative to the picture then. Raises SidecarError.
    """
    leaf = ready.name.rpartition("/")[2]
    stem = PurePosixPath(leaf).stem
    renamed = {
        each.source: os.path.relpath(each.name, ready.folder)
        for each in ready.pictures[1:]
        if each.root == inbox
    }

    def place(source: str) -> str:
        source = source.replace(PICTURE, stem)
        return renamed.get(source, source)

    parsed = recipe.file.sidecar_of(leaf, safe_name(stem), place)
    sources = zip(ready.pictures, parsed.pictures, strict=True)
    pictures = tuple(replace(each, source=source) for each, source in sources)
    return replace(ready, parsed=parsed, pictures=pictures)
