"""Makes the recipe of a folder of the inbox, and copies its styles there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nstd.backends.registry import Backends
from nstd.client.drop import draft_file, drop_picture
from nstd.client.picture_check import check_pictures
from nstd.client.submit import check_library, check_names
from nstd.documents.config import Config
from nstd.documents.recipe import OWN_KEYS, parse_recipe
from nstd.documents.sidecar_writer import dump, refused, set_option, without_places
from nstd.errors import SidecarError, in_shell, printable
from nstd.intake.names import RECIPES, is_ignored
from nstd.intake.recipe_cache import count_jobs
from nstd.system.durable import Files


@dataclass(frozen=True)
class RecipeRequest:
    """A recipe for `folder`, a name below the inbox or a path to a folder there.

    Several styles are mixed; with `grid` each makes a job of its own. `options` are `key=value`
    texts, as for `SubmitRequest`.
    """

    folder: str
    styles: Sequence[str]
    options: Sequence[str] = ()
    grid: bool = False

    def values(self, names: dict[str, str]) -> dict[str, Any]:
        """The values of the recipe; `names` has the names of styles in the inbox."""
        styles = [names.get(style, style) for style in self.styles]
        values: dict[str, Any] = {}
        if len(styles) == 1:
            values["style"] = styles[0]
        else:
            values["styles" if self.grid else "style"] = styles
        for option in self.options:
            set_option(values, option, lists=self.grid, more=OWN_KEYS)
        return values


def make_recipe(config: Config, request: RecipeRequest) -> Path:
    """Write the recipe; its path. Raises SidecarError before anything is written, and OSError."""
    inbox, files = config.folder("inbox"), Files()
    name = _name_of(inbox, request.folder)
    if found := next((leaf for leaf in RECIPES if (inbox / name / leaf).exists()), ""):
        path = in_shell(inbox / name / found)
        raise refused(name, f"there is a recipe already: edit {path}, then `nstd check` it")
    pictures = [Path(style) for style in request.styles if Path(style).is_file()]
    check_pictures(pictures, config.limits)
    check_names(path.name for path in pictures)
    for style in request.styles:
        if not Path(style).is_file():
            check_library(config, style)
    text = dump(request.values({str(path): path.name for path in pictures}))
    try:
        count_jobs(f"{name}/{RECIPES[0]}", parse_recipe(text, name), config, Backends())
    except SidecarError as error:
        raise without_places(error, "command line") from None
    folder = inbox / name
    files.make_folder(folder, below=inbox)
    placed = {str(path): drop_picture(path, folder, files, share=True).name for path in pictures}
    with draft_file(folder, ".yaml") as draft:
        files.write(draft, dump(request.values(placed)))
        if not files.link_new(draft, folder / RECIPES[0]):
            raise refused(name, "there is a recipe already")
    return folder / RECIPES[0]


def _name_of(inbox: Path, folder: str) -> str:
    """The folder, relative to the inbox, which may be named itself: `inbox/starry`."""
    path = Path(folder)
    if path.parts[:1] == (inbox.name,) and not path.is_dir() and not (inbox / inbox.name).is_dir():
        path = path.relative_to(inbox.name)
    if path.is_absolute() or path.is_dir():
        path = path.resolve()
        if not path.is_relative_to(inbox.resolve()):
            hint = f"a recipe lies below {printable(inbox)}: say the name of a folder there"
            raise refused(folder, hint)
        path = path.relative_to(inbox.resolve())
    name = str(PurePosixPath(path))
    if name == "." or ".." in path.parts:
        raise refused(folder, "a recipe is for a sub-folder of the inbox: say its name")
    if any(is_ignored(part) for part in path.parts):
        raise refused(folder, "a folder of this name is passed over; choose another name")
    return name
