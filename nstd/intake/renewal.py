"""Has all pictures of a recipe folder made once more, when a person asks for it.

What was made is forgotten, so the usual scan finds the pictures that were kept. Those that were
archived or deleted come back from a hidden folder at the top of the inbox, in which the command has
collected them: each by one rename, so that a kill at any moment repeats none.
"""

from __future__ import annotations

import os
import re

from nstd.errors import printable
from nstd.intake.made import Made
from nstd.intake.scan import Scan
from nstd.logs.log import emit
from nstd.system.durable import Files
from nstd.system.layout import STAGED_AGAIN
from nstd.system.nofollow import Folder, refuse_links

STAGED = re.compile(re.escape(STAGED_AGAIN) + "[0-9a-f]{16}")
"""The name of a hidden folder with pictures that come back."""


def renew(
    root: Folder, made: Made, files: Files, folder: str, until: float, staged: str = ""
) -> bool:
    """Forget what was made of `folder` until then, and bring back what lies in `staged`.

    `root` is the inbox, `folder` that of a recipe. It may be repeated: what is made from now on is
    not forgotten. Returns False where `folder` has no recipe. Raises OSError.
    """
    scan = Scan(root)
    scan.read()
    recipe = scan.governed.get(folder, "")
    if recipe.rpartition("/")[0] != folder:
        return False
    scope = [each for each, name in scan.governed.items() if name == recipe]
    pictures = sum(made.forget_contents(each, until) for each in scope)
    if staged:
        pictures += _bring_back(root, files, staged)
    if pictures:
        emit("recipe.again", folder=printable(folder), pictures=pictures)
    return True


def _bring_back(root: Folder, files: Files, staged: str) -> int:
    """Move the pictures in the folder `staged` to their places in the inbox; how many they are."""
    count, home = 0, root.path / staged
    refuse_links(root.path, home)
    for folder, inner, names in os.walk(home):
        inner[:] = sorted(each for each in inner if not each.startswith("."))  # none of ours
        for name in sorted(each for each in names if not each.startswith(".")):
            source = home / folder / name
            files.move_to_free_name(source, root.path / source.relative_to(home), below=root.path)
            count += 1
    files.remove_tree(home)
    return count
