"""The axes of a grid: the lists of values in a sidecar; and the names of the jobs they make."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from nstd.documents.document import KeyPath
from nstd.documents.names import NAME_BYTES
from nstd.documents.ramp import is_ramp
from nstd.documents.sidecar import SidecarFile
from nstd.errors import Problem, SidecarError, printable, shortened
from nstd.system.numbered import distinct

_LONGEST_NAME = NAME_BYTES - len("-500")


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
        """The values as records contain them; the styles of a mix, and a ramp, as one text."""
        if self.key != "style":
            return [_points(v) if is_ramp(v) else v for v in self.values]
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
        return [_label(value) for value in self.values]


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


def _label(value: Any) -> str:
    """A value of an option; of a ramp, its ends."""
    if is_ramp(value):
        return "-to-".join(dict.fromkeys(map(json.dumps, [*value.values()])))
    return value if isinstance(value, str) else json.dumps(value)


def _points(ramp: dict[str, Any]) -> str:
    return ", ".join(f"{value} at {time}" for time, value in ramp.items())


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
