"""The recipe of a folder: a sidecar without a content, for every picture that comes into it."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from nstd.documents import diagnostics, strict_yaml
from nstd.documents.document import Document, DocumentError
from nstd.documents.grid import GridFile, GridSidecar, refuse_style
from nstd.documents.model import Model
from nstd.documents.names import NAME_BYTES
from nstd.documents.sidecar import SharedKeys, Styles, invalid
from nstd.errors import Problem
from nstd.system.units import Seconds

PICTURE = "{picture}"
"""Stands in a recipe for the name of the picture, without its suffix."""
PictureMode = Literal["keep", "archive", "delete"]
_NO_CONTENT = (
    "content: a recipe has none, as every picture in its folder is one; a sidecar for one picture "
    "must not be called recipe.yaml"
)


def _listed(value: object) -> object:
    """`match: "*.jpg"` is short for a list of one pattern."""
    return [value] if isinstance(value, str) else value


Patterns = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=255)]],
    Field(max_length=100),
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
]


class When(Model):
    """When a picture is taken up."""

    settle: Seconds | None = Field(
        None, description="A picture is complete when it has not changed for this long."
    )


def _either(schema: dict[str, Any]) -> None:
    schema.pop("required", None)
    schema["oneOf"] = [{"required": ["style"]}, {"required": ["styles"]}]


class Recipe(SharedKeys, json_schema_extra=_either):
    """What a recipe may say: all that a sidecar may say, but the content."""

    style: Styles = Field(description="A style picture, or a list of several to mix.")
    styles: Annotated[list[Styles], Field(min_length=1)] | None = Field(
        None, description="Instead of style: a list of styles, each of which makes a job."
    )
    match: Patterns = Field(
        ["*"], description='Only pictures with such names, like "*.jpg"; upper case is the same.'
    )
    skip: Patterns = Field([], description="No pictures with such names.")
    when: When = Field(When(), description="When a picture is taken up.")
    pictures: PictureMode | None = Field(
        None,
        description="What becomes of a picture that is taken: keep, archive or delete; "
        "jobs.pictures of the config if unset.",
    )


class _ManyStylesRecipe(Recipe):
    style: Annotated[Styles, BeforeValidator(refuse_style)] = Field([])


OWN_KEYS = Recipe.model_fields.keys() - GridSidecar.model_fields.keys()
"""The keys of a recipe that a sidecar does not have."""


@dataclass(frozen=True)
class RecipeFile:
    """A valid recipe with its text; `digest` is the SHA-256 of the file."""

    recipe: Recipe
    document: Document
    digest: str

    def admits(self, name: str) -> bool:
        """Whether a picture of this name, relative to the folder of the recipe, is meant."""
        return _matches(name, self.recipe.match) and not _matches(name, self.recipe.skip)

    @property
    def named(self) -> Iterator[str]:
        """The pictures that it names and that are no contents; they may hold `{picture}`."""
        styles = self.recipe.styles or [self.recipe.style]
        for style in styles:
            for entry in style:
                yield from (reference.source for reference in entry.references(0))
        if self.recipe.init is not None:
            yield self.recipe.init

    @property
    def sources(self) -> list[str]:
        """All pictures that it names."""
        return [*self.named, *self.recipe.series]

    def sidecar_of(self, content: str, called: str, place: Callable[[str], str]) -> GridFile:
        """The sidecar that it makes for the picture `content`, with the places of the recipe.

        `called` is what `{picture}` becomes in the name of the result. `place` gives the name that
        the sidecar has to use for a picture that the recipe names. Raises SidecarError.
        """
        said = {k: v for k, v in self.document.value.items() if k not in OWN_KEYS and v is not None}
        value: dict[str, Any] = {"content": content, **said}
        for key in ("style", "styles", "init", "series"):
            if key in value:
                value[key] = _with_pictures(value[key], place)
        if (name := self.recipe.output.name) is not None:
            name = name.replace(PICTURE, called).encode()[:NAME_BYTES].decode(errors="ignore")
            value["output"] = {**value["output"], "name": name}
        return GridFile.of(replace(self.document, value=value))


def parse_recipe(data: bytes, file: str) -> RecipeFile:
    """The recipe in `data`; `file` is its name in messages.

    Raises SidecarError `sidecar_invalid` with every problem of the file, with line and column.
    """
    problems: list[Problem] = []
    try:
        document = strict_yaml.read(data, file)
        value = dict(document.value)
        if "content" in value:
            del value["content"]
            problems.append(document.problem(("content",), _NO_CONTENT, key=True))
        model = _ManyStylesRecipe if value.get("styles") is not None else Recipe
        value = diagnostics.without_blanks(model, value)
        recipe = diagnostics.validate(model, value, document)
    except DocumentError as error:
        problems += error.problems
    if problems:
        raise invalid(sorted(problems))
    return RecipeFile(recipe, document, hashlib.sha256(data).hexdigest())


def pattern_of(source: str) -> re.Pattern[str]:
    """What a name that holds `{picture}` may be, for any picture."""
    return re.compile("[^/]+".join(map(re.escape, source.split(PICTURE))), re.DOTALL)


def _matches(name: str, patterns: list[str]) -> bool:
    """Whether a pattern fits the file name, or with a slash in it the path."""
    path, leaf = name.casefold(), PurePosixPath(name).name.casefold()
    return any(
        fnmatch.fnmatchcase(path if "/" in pattern else leaf, pattern.casefold())
        for pattern in patterns
    )


def _with_pictures(value: Any, place: Callable[[str], str]) -> Any:
    """The value of `style`, `styles`, `init` or `series` with other names of pictures."""
    if isinstance(value, str):
        return place(value)
    if isinstance(value, list):
        return [_with_pictures(each, place) for each in value]
    names = {"image", "region", "mask"}
    return {
        key: place(each) if key in names and each is not None else each
        for key, each in value.items()
    }
