"""A document: the values that were read from a YAML file, with their places, and its problems."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from nstd.errors import Problem, printable

KeyPath: TypeAlias = tuple[str | int, ...]
Mark: TypeAlias = tuple[int, int]
Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"


class DocumentError(Exception):
    """A file is not acceptable; its loader turns this into the error of its kind."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """The content of a file as plain Python values, with the place of each.

    Places are lines and columns; columns are counted in characters; both start at 1.
    """

    file: str
    value: dict[str, Value]
    values: dict[KeyPath, Mark] = field(repr=False)
    keys: dict[KeyPath, Mark] = field(repr=False)

    def mark(self, path: KeyPath, key: bool = False) -> Mark:
        """The place of the value at `path`, or of its key; if absent, of the nearest parent."""
        if key and path in self.keys:
            return self.keys[path]
        while path not in self.values:
            path = path[:-1]
        return self.values[path]

    def problem(self, path: KeyPath, message: str, key: bool = False) -> Problem:
        """The problem `message` at the place of `path`."""
        return Problem(self.file, *self.mark(path, key), message)


_NO_SPACE = re.compile(r"([A-Za-z_]\w*):(?![\s/])(\S.*)")


def no_space(text: str) -> str:
    """What to write for a text like `size:512`, as the end of a message; else an empty string."""
    match = _NO_SPACE.fullmatch(text.strip())
    if match is None:
        return ""
    written = printable(f"{match[1]}: {match[2]}")[:80]
    return f"; write a space after the colon: `{written}`"


def describe(value: object) -> str:
    """`value` in a few words of YAML, for "got ..." in messages."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = value if isinstance(value, str) else str(value)
    short = text if len(text) <= 40 else text[:37] + "..."
    return repr(short) if isinstance(value, str) else short
