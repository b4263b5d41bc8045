"""YAML read strictly: a small, safe part of the language, with the place of every value.

Uses only the parser's events; no constructor runs. Dangerous or surprising features of YAML are
refused: anchors and aliases ("billion laughs"), merges, tags, duplicate keys, several documents.
Plain scalars follow the core schema of YAML 1.2 (section 10.3) without hexadecimal, octal, infinity
and NaN, so `no`, `1:30`, `010` and `.nan` are text.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator
from typing import Protocol

import yaml

from nstd.documents.document import (
    Document,
    DocumentError,
    KeyPath,
    Mark,
    Value,
    describe,
    no_space,
)
from nstd.errors import Problem, printable

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
MAX_NODES = 2000
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""Control characters, line breaks that editors do not show as line breaks, and surrogates."""
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
INT_DIGITS = 18
_FLOAT_DIGITS = 40

_ADVICE = (
    (r"could not find expected ':'", "no ':' on this line; write 'key: value'"),
    (
        r"mapping values are not allowed",
        "unexpected ':'; indent the line like its neighbours, or put the text in quotes",
    ),
    (r"cannot start any token", "text cannot start with this character; put it in quotes"),
    (r"unexpected end of stream", "this quote is never closed"),
    (r"expected ',' or '[]}]'", "this bracket is never closed, or a comma is missing in it"),
    (r"expected key|expected <block end>", "unexpected text; check indentation and quotes"),
    (r"sequence entries are not allowed", "a list starts on a line of its own"),
)
_AT_START = ("could not", "unexpected end", "expected ',' or")  # shown where they begin


def read(data: bytes, file: str) -> Document:
    """The document in `data`; `file` is its name in messages.

    Raises DocumentError, and no other error, whatever `data` contains.
    """
    reader = _Reader(printable(file))
    value = reader.document(reader.text(data))
    if not reader.problems:
        if isinstance(value, dict):
            return Document(reader.file, value, reader.values, reader.keys)
        if not reader.blame_space(len(reader.lines)):
            reader.add(reader.values[()], f"expected 'key: value' lines, got {describe(value)}")
    raise DocumentError(sorted(reader.problems))


class _Reader:
    """Builds plain values from the parser's events, noting places and problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.values: dict[KeyPath, Mark] = {}
        self.keys: dict[KeyPath, Mark] = {}
        self.events: Iterator[yaml.Event] = iter(())
        self.nodes = 0
        self.lines: list[str] = []

    def add(self, mark: Mark, message: str) -> None:
        self.problems.append(Problem(self.file, *mark, message))

    def stop(self, mark: Mark, message: str) -> DocumentError:
        """The error for a problem after which reading cannot continue."""
        self.add(mark, message)
        return DocumentError(sorted(self.problems))

    def text(self, data: bytes) -> str:
        """`data` decoded; tabs and invisible characters are problems."""
        if len(data) > MAX_BYTES:
            raise self.stop((1, 1), f"longer than {MAX_BYTES // 1024} KiB")
        data = data.removeprefix(codecs.BOM_UTF8)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            mark = _after(data[: error.start].decode())
            byte = f"byte 0x{data[error.start]:02x}"
            raise self.stop(mark, f"not UTF-8 text ({byte}); save it as UTF-8") from None
        if match := UNPRINTABLE.search(text):
            char = f"U+{ord(match[0]):04X}"
            raise self.stop(_after(text[: match.start()]), f"control character {char}")
        if (tab := text.find("\t")) >= 0:
            raise self.stop(_after(text[:tab]), "a tab; use spaces")
        self.lines = re.split("\r\n|\r|\n", text)
        return text

    def blame_space(self, last: int) -> bool:
        """Add a problem for the first line, up to the line `last`, that lacks a space behind its
        colon, like `size:512`; whether there is one."""
        for number, line in enumerate(self.lines[:last], start=1):
            if advice := no_space(line.partition(" #")[0]):
                column = len(line) - len(line.lstrip()) + 1
                self.add((number, column), advice.removeprefix("; "))
                return True
        return False

    def document(self, text: str) -> Value:
        """The only document of `text`."""
        self.events = yaml.parse(text, Loader=LOADER)
        try:
            return self._document()
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the pure Python parser
            raise self.stop((1, 1), f"not valid YAML: {error}") from None

    def _document(self) -> Value:
        next(self.events)  # the start of the stream
        start = next(self.events)
        if not isinstance(start, yaml.DocumentStartEvent):
            raise self.stop((1, 1), "the file is empty")
        if start.version or start.tags:
            self.add(_mark(start.start_mark), "directives are not allowed")
        value = self._node(next(self.events), ())
        next(self.events)  # the end of the document
        if isinstance(another := next(self.events), yaml.DocumentStartEvent):
            self.add(_mark(another.start_mark), "a second document; write one to a file")
        if value is None and not self.problems:
            self.add((1, 1), "the file is empty")
        return value

    def _node(self, event: yaml.Event, path: KeyPath) -> Value:
        self.values[path] = mark = _mark(event.start_mark)
        if len(path) > MAX_DEPTH:
            raise self.stop(mark, f"nested more than {MAX_DEPTH} levels deep")
        self._admit(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        return None  # an alias

    def _admit(self, event: yaml.Event) -> None:
        """Count a key or value, and note anchors, aliases and tags as problems."""
        mark = _mark(event.start_mark)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.stop(mark, f"more than {MAX_NODES} keys and values")
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None:
            kind = "alias *" if isinstance(event, yaml.AliasEvent) else "anchor &"
            self.add(mark, f"{kind}{printable(anchor)[:40]} is refused; write the value out")
        if tag is not None:
            self.add(mark, f"tag {printable(tag)[:40]} is refused; write the value without it")

    def _sequence(self, path: KeyPath) -> list[Value]:
        items: list[Value] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        before: Value = None
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, before)
            here, mark = (*path, key), _mark(event.start_mark)
            if here in self.keys:
                first = self.keys[here][0]
                self.add(mark, f"key {describe(key)} stands twice; first in line {first}")
            self.keys[here] = mark
            mapping[key] = before = self._node(next(self.events), here)
        return mapping

    def _key(self, event: yaml.Event, before: Value) -> str:
        """The key; `before` is the value before it in the mapping."""
        mark = _mark(event.start_mark)
        self._admit(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self.stop(mark, "a key must be text")
        key = self._scalar(event)
        if key == "<<":
            self.add(mark, "merge key '<<'; write the values out")
        elif type(before) is int and event.value.isdecimal():  # `{weight: 0,7}`
            number = f"{before}.{event.value}"
            self.add(mark, f"a comma ends the value here; write {number}, with a point")
        elif not isinstance(key, str):
            is_number = isinstance(key, int | float) and not isinstance(key, bool)
            time = f"; a time has a unit, like {key}s" if is_number else ""
            self.add(mark, f"a key must be text, got {describe(key)}; put it in quotes{time}")
        return str(key)

    def _scalar(self, event: yaml.ScalarEvent) -> Value:
        text, mark = event.value, _mark(event.start_mark)
        if not event.implicit[0] or event.tag is not None:
            if match := UNPRINTABLE.search(text):
                self.add(mark, f"control character U+{ord(match[0]):04X} in the text")
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INT.fullmatch(text) and len(text.lstrip("+-")) <= INT_DIGITS:
            return int(text)
        if not _FLOAT.fullmatch(text):
            return text
        if _INT.fullmatch(text) or len(text) > _FLOAT_DIGITS or math.isinf(float(text)):
            self.add(mark, f"number {describe(text)[1:-1]} is too long or too large")
            return None
        return float(text)

    def _syntax(self, error: yaml.MarkedYAMLError) -> DocumentError:
        what = str(error.problem)
        start = error.context_mark if any(words in what for words in _AT_START) else None
        known = (advice for pattern, advice in _ADVICE if re.search(pattern, what))
        mark = _mark(start or error.problem_mark)
        if self.blame_space(mark[0]):
            return DocumentError(sorted(self.problems))
        return self.stop(mark, next(known, f"not valid YAML: {what}"))


class _HasPlace(Protocol):
    line: int
    column: int


def _mark(place: _HasPlace | None) -> Mark:
    """The parser's mark, which counts from 0, as our mark."""
    return (place.line + 1, place.column + 1) if place else (1, 1)


def _after(before: str) -> Mark:
    """The place of the character after `before`."""
    lines = re.split("\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1
