"""Grids: a sidecar with lists of contents, styles or values of options makes a job for each
combination.

Each member is a sidecar of its own; its lines and columns are those of the grid's file.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Field

from nstd.documents import diagnostics as diagnose
from nstd.documents import strict_yaml as strictyaml
from nstd.documents.sidecar import (
    NAME_BYTES,
    OptionalKeys,
    PicturePath,
    Sidecar,
    SidecarFile,
    Styles,
    invalid,
)
from nstd.documents.strict_yaml import Document, DocumentError, KeyPath, Mark
from nstd.errors import Problem, SidecarError, printable, shortened
from nstd.system.numbered import distinct

_LONGEST_NAME = NAME_BYTES - len("-500")


def _listed(value: object) -> object:
    """`content: beach.jpg` is short for a list of one value, which is not an axis."""
    return value if isinstance(value, list) else [value]


def _no_style(_: object) -> object:
    raise ValueError("stands beside styles; say one of the two")


_ContentList = Annotated[list[PicturePath], Field(min_length=1)]
Contents = Annotated[
    _ContentList, BeforeValidator(_listed, json_schema_input_type=PicturePath | _ContentList)
]


def _either(schema: dict[str, Any]) -> None:
    schema["required"] = ["content"]
    schema["oneOf"] = [{"required": ["style"]}, {"required": ["styles"]}]


class GridSidecar(OptionalKeys, json_schema_extra=_either):
    """What a sidecar file may say: a job, or with lists a grid of jobs."""

    content: Contents = Field(
        description="The picture to be restyled, beside the sidecar; a list makes a job of each."
    )
    style: Styles = Field(description="A style picture, or a list of several to mix.")
    styles: Annotated[list[Styles], Field(min_length=1)] | None = Field(
        None, description="Instead of style: a list of styles, each of which makes a job."
    )


class _ManyStyles(GridSidecar):
    style: Annotated[Styles, BeforeValidator(_no_style)] = Field([])


@dataclass(frozen=True)
class Axis:
    """A list in a sidecar; each member of the grid has one of its values."""

    at: KeyPath  # its path in a member's sidecar
    listed: KeyPath  # its path in the grid's file
    values: Sequence[Any]

    @property
    def key(self) -> str:
        """`content`, `style` or `options.NAME`."""
        return ".".join(map(str, self.at))

    @property
    def recorded_values(self) -> list[Any]:
        """The values as records contain them; the styles of a mix as one text."""
        if self.key != "style":
            return list(self.values)
        return distinct(
            [" + ".join(_shown(each) for each in _mix(v)) for v in self.values], " ({})"
        )

    @property
    def labels(self) -> list[str]:
        """The values as parts of a name."""
        if self.key == "style":
            return ["+".join(_stem(_image(each)) for each in _mix(v)) for v in self.values]
        if self.key == "content":
            return [_stem(value) for value in self.values]
        return [v if isinstance(v, str) else json.dumps(v) for v in self.values]


@dataclass(frozen=True)
class GridFile:
    """A valid sidecar file with its text, for the lines and columns of later messages."""

    sidecar: GridSidecar
    document: Document

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
        plain = diagnose.without_blanks(GridSidecar, self.document.value)
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
            yield SidecarFile(diagnose.validate(Sidecar, value, view), view)


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
        document = strictyaml.read(data, file)
        has_styles = document.value.get("styles") is not None
        model = _ManyStyles if has_styles else GridSidecar
        value = diagnose.without_blanks(model, document.value)
        return GridFile(diagnose.validate(model, value, document), document)
    except DocumentError as error:
        raise invalid(error.problems) from None


def size_of(axes: Sequence[Axis]) -> int:
    """How many jobs the axes make."""
    return math.prod(len(axis.values) for axis in axes)


def describe(axes: Sequence[Axis]) -> str:
    """`content 2 × style 3`."""
    return " × ".join(f"{axis.key} {len(axis.values)}" for axis in axes)


def check_size(file: str, axes: Sequence[Axis], most: int) -> None:
    """Raise SidecarError `grid_too_large` for more than `most` jobs."""
    if size_of(axes) > most:
        text = f"{describe(axes)} makes {size_of(axes)} jobs; jobs.grid_max is {most}"
        problem = Problem(printable(file), 0, 0, text)
        hint = "shorten the lists, make several sidecars of them, or raise jobs.grid_max"
        raise SidecarError.of("grid_too_large", [problem], hint)


def name_members(
    parts: Sequence[SidecarFile], axes: Sequence[Axis], safe_name: Callable[[str], str]
) -> list[str]:
    """A name for each member, such as `beach-starry-0.5`; all differ, also ignoring case."""
    options = [axis.labels for axis in axes if axis.at[0] == "options"]
    chosen = list(itertools.product(*(range(len(axis.values)) for axis in axes)))
    names = []
    for part, numbers in zip(parts, chosen, strict=True):
        sidecar = part.sidecar
        style = "+".join(_stem(entry.image) for entry in sidecar.style)
        ours = numbers[len(numbers) - len(options) :]
        values = [labels[n] for labels, n in zip(options, ours, strict=True)]
        words = [_stem(sidecar.content), style, *values]
        name = safe_name("-".join(_short(word) for word in words if word))
        names.append(name.encode()[:_LONGEST_NAME].decode(errors="ignore"))
    return distinct(names)


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


def _mix(style: Any) -> list[Any]:
    return style if isinstance(style, list) else [style]


def _image(entry: Any) -> str:
    return str(entry["image"] if isinstance(entry, dict) else entry)


def _shown(entry: Any) -> str:
    weight = entry.get("weight") if isinstance(entry, dict) else None
    return _image(entry) if weight is None else f"{_image(entry)} {weight:g}"


def _stem(source: str) -> str:
    return PurePosixPath(source).stem


def _short(word: str) -> str:
    """Not so long that what comes after it would be cut off."""
    return shortened(word, 40)
