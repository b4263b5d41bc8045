"""Grids: a sidecar with lists of contents, styles or values of options makes a job for each
combination.

Each member is a sidecar of its own; its lines and columns are those of the grid's file.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Field

from nstd.documents import diagnostics, strict_yaml
from nstd.documents.axis import Axis
from nstd.documents.document import Document, DocumentError, KeyPath, Mark
from nstd.documents.names import ContentPath
from nstd.documents.sidecar import OptionalKeys, Sidecar, SidecarFile, Styles, invalid
from nstd.errors import Problem


def _listed(value: object) -> object:
    """`content: beach.jpg` is short for a list of one value, which is not an axis."""
    return value if isinstance(value, list) else [value]


def refuse_style(_: object) -> object:
    """Refuse `style` beside `styles`."""
    raise ValueError("stands beside styles; say one of the two")


_ContentList = Annotated[list[ContentPath], Field(min_length=1)]
Contents = Annotated[
    _ContentList, BeforeValidator(_listed, json_schema_input_type=ContentPath | _ContentList)
]


def _either(schema: dict[str, Any]) -> None:
    schema["required"] = ["content"]
    schema["oneOf"] = [{"required": ["style"]}, {"required": ["styles"]}]


class GridSidecar(OptionalKeys, json_schema_extra=_either):
    """What a sidecar file may say: a job, or with lists a grid of jobs."""

    content: Contents = Field(
        description="The picture to be restyled, beside the sidecar, or a film, or a folder of its "
        "frames, like frames/; a list makes a job of each."
    )
    style: Styles = Field(description="A style picture, or a list of several to mix.")
    styles: Annotated[list[Styles], Field(min_length=1)] | None = Field(
        None, description="Instead of style: a list of styles, each of which makes a job."
    )


class _ManyStyles(GridSidecar):
    style: Annotated[Styles, BeforeValidator(refuse_style)] = Field([])


@dataclass(frozen=True)
class GridFile:
    """A valid sidecar file with its text, for the lines and columns of later messages."""

    sidecar: GridSidecar
    document: Document

    @classmethod
    def of(cls, document: Document) -> GridFile:
        """The sidecar that `document` says. Raises SidecarError `sidecar_invalid`."""
        try:
            has_styles = document.value.get("styles") is not None
            model = _ManyStyles if has_styles else GridSidecar
            value = diagnostics.without_blanks(model, document.value)
            return cls(diagnostics.validate(model, value, document), document)
        except DocumentError as error:
            raise invalid(error.problems) from None

    @property
    def pictures(self) -> list[str]:
        """Every picture that it names, whatever its role, as often as it is named."""
        sidecar, styles = self.sidecar, self.sidecar.styles or [self.sidecar.style]
        entries = [entry for style in styles for entry in style]
        named = [each.source for entry in entries for each in entry.references(0)]
        init = [sidecar.init] if sidecar.init is not None else []
        return [*sidecar.content, *named, *init, *sidecar.series]

    def axes(self, options: type[BaseModel]) -> tuple[Axis, ...]:
        """The lists that make it a grid; `options` is the model of its backend's options.

        Raises SidecarError for a list that is empty or has a value twice.
        """
        axes = tuple(self._axes(options))
        if problems := [problem for axis in axes for problem in self._problems(axis)]:
            raise invalid(problems)
        return axes

    def _axes(self, options: type[BaseModel]) -> Iterator[Axis]:
        value = self.document.value
        if isinstance(content := value["content"], list):
            yield Axis(("content",), ("content",), content)
        if isinstance(styles := value.get("styles"), list):
            yield Axis(("style",), ("styles",), styles)
        fields = {field.alias or name: field for name, field in options.model_fields.items()}
        for name, listed in self.sidecar.options.items():
            field = fields.get(name)
            if isinstance(listed, list) and field and not takes_list(field.annotation):
                yield Axis(("options", name), ("options", name), listed)

    def _problems(self, axis: Axis) -> Iterator[Problem]:
        if not axis.values:
            text = f"{axis.at[-1]}: expected at least 1 in the list, got 0"
            yield self.document.problem(axis.listed, text)
        known = [json.dumps(value, sort_keys=True) for value in axis.values]
        for number, value in enumerate(known):
            if value in known[:number]:
                text = f"{axis.listed[-1]}: stands twice in the list"
                yield self.document.problem((*axis.listed, number), text)
        if self.sidecar.batch is not None:
            text = "batch: a member of a batch is one job, and has no lists"
            yield self.document.problem(("batch",), text, key=True)

    def members(self, axes: Sequence[Axis]) -> Iterator[SidecarFile]:
        """A sidecar for each combination, the last axis varying fastest; without axes, one."""
        plain = diagnostics.without_blanks(GridSidecar, self.document.value)
        plain.pop("styles", None)
        for chosen in itertools.product(*(range(len(axis.values)) for axis in axes)):
            value: dict[str, Any] = dict(plain)
            for axis, number in zip(axes, chosen, strict=True):
                if axis.at[0] == "options":
                    value["options"] = {**value["options"], axis.at[1]: axis.values[number]}
                else:
                    value[str(axis.at[0])] = axis.values[number]
            moved = {a.at: (*a.listed, n) for a, n in zip(axes, chosen, strict=True)}
            view = _View(self.document.file, value, {}, {}, self.document, moved)
            yield SidecarFile(diagnostics.validate(Sidecar, value, view), view)


@dataclass(frozen=True)
class _View(Document):
    """The document of a member, which takes its places from the grid's document."""

    grid: Document
    moved: Mapping[KeyPath, KeyPath]

    def mark(self, path: KeyPath, key: bool = False) -> Mark:
        for length in range(len(path), 0, -1):
            if (place := self.moved.get(path[:length])) is not None:
                return self.grid.mark((*place, *path[length:]), key)
        return self.grid.mark(path, key)


def parse_grid(data: bytes, file: str) -> GridFile:
    """The sidecar in `data`; `file` is its name in messages.

    Raises SidecarError `sidecar_invalid` with every problem of the file, with line and column.
    """
    try:
        document = strict_yaml.read(data, file)
    except DocumentError as error:
        raise invalid(error.problems) from None
    return GridFile.of(document)


def member_sidecar(part: SidecarFile, name: str, batch: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a member's sidecar, as a mapping to be written."""
    value: dict[str, Any] = dict(part.document.value)
    output = value.get("output") or {}
    return {**value, "output": {**output, "name": name}, "batch": dict(batch)}


def takes_list(annotation: Any) -> bool:
    """Whether a value of this type may be a list."""
    annotation = getattr(annotation, "__value__", annotation)  # the value of `type X = ...`
    if annotation in (Any, object):
        return True
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type):
        if issubclass(origin, Mapping | str | bytes):
            return False
        if issubclass(origin, Sequence | AbstractSet):
            return True
    return any(takes_list(each) for each in get_args(annotation))
