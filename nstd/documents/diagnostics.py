"""Explains what is wrong with a document: place, key, expected value and actual value."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nstd.documents.document import Document, DocumentError, KeyPath, Value, describe, no_space
from nstd.documents.error_words import expected_of, said_of
from nstd.documents.key_places import KeyPlaces, fields_of, keys_at
from nstd.documents.number_advice import advice_on_number
from nstd.errors import Problem, did_you_mean, nearest, printable

M = TypeVar("M", bound=BaseModel)

_MAPPINGS = {"dict_type", "model_type", "model_attributes_type", "dataclass_type"}
_SURELY = 0.75
"""From this similarity on, an unknown key is surely a misspelt known key."""
_MISMATCH = re.compile(r"_type$|_parsing$|^literal_error$|^enum$|^int_from_float$")


def validate(
    model: type[M],
    value: object,
    document: Document,
    *,
    at: KeyPath = (),
    elsewhere: Mapping[tuple[str, ...], str] | None = None,
    whole: type[BaseModel] | None = None,
) -> M:
    """`value` as a `model`, strictly: text is not a number, and `yes` is not `true`.

    `value` is at the path `at` of `document`, except for the paths in `elsewhere` (relative to
    `value`), which come from the source of that name. `whole` is the model of the document, where
    a key at the wrong level may belong. Raises DocumentError with all problems.
    """
    try:
        return model.model_validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    levels = KeyPlaces(whole or model, at)
    findings = [_finding(error, model, value, levels) for error in _without_branches(errors, value)]
    raise DocumentError(
        sorted(found.problem(document, at, elsewhere or {}) for found in _merged(findings))
    )


def without_blanks(model: type[BaseModel], value: Mapping[str, Value]) -> dict[str, Value]:
    """`value` without the keys that have a default and no value, such as `options:`."""
    optional = {name for name, field in fields_of(model).items() if not field.is_required()}
    return {key: item for key, item in value.items() if item is not None or key not in optional}


@dataclass(frozen=True)
class _Finding:
    """One error of pydantic in our words, at a path that exists in the document."""

    path: KeyPath
    text: str
    expected: str = ""  # separate, so that branches of a union can be joined
    at_key: bool = False
    missing: str = ""  # the missing key
    meant: str | None = None  # the key that was probably meant by an unknown one

    def problem(
        self, document: Document, at: KeyPath, elsewhere: Mapping[tuple[str, ...], str]
    ) -> Problem:
        """The finding with its place."""
        text = f"expected {self.expected}, {self.text}" if self.expected else self.text
        label = self._label((*at, *self.path))
        text = f"{label}: {text}" if label else text
        for path, source in elsewhere.items():
            if self.path[: len(path)] == path:
                return Problem(source, 0, 0, text)
        return document.problem((*at, *self.path), text, key=self.at_key)

    def _label(self, path: KeyPath) -> str:
        """The key that the text is about, unless the text already has it."""
        if self.missing or self.meant is not None:
            return ""
        names = [step for step in (path[:-1] if self.at_key else path) if isinstance(step, str)]
        return printable(names[-1][:40]) if names else ""


def _finding(
    error: ErrorDetails, model: type[BaseModel], value: object, levels: KeyPlaces
) -> _Finding:
    kind, loc, context = error["type"], error["loc"], error.get("ctx", {})
    path, came = _fit(loc, value)
    last = str(loc[-1]) if loc else ""
    if kind == "missing":
        return _Finding(path, f"missing key '{last}'", missing=last)
    if kind == "extra_forbidden" and (advice := no_space(last)):
        return _Finding(path, f"unknown key {describe(last)}{advice}", at_key=True, meant="")
    if kind == "extra_forbidden":
        if belongs := levels.advice(last, loc[:-1]):
            return _Finding(path, f"unknown key {describe(last)}{belongs}", at_key=True, meant="")
        meant = nearest(last, keys_at(model, loc[:-1]))
        is_near = difflib.SequenceMatcher(None, last, meant).ratio() >= _SURELY
        free = "" if is_near else levels.free(last)
        text = f"unknown key {describe(last)}{free}{did_you_mean(meant)}"
        return _Finding(path, text, at_key=True, meant=meant)
    if at_key := last == "[key]":
        came = path[-1]
    if expected := expected_of(error):
        came = context.get("actual_length", came)
        takes_list = levels.at[:1] == ("options",)
        text = f"got {describe(came)}{_advice(kind, came, expected, takes_list)}"
        return _Finding(path, text, expected, at_key)
    text = said_of(error)
    if text.startswith("expected "):
        text += f", got {describe(came)}"
    return _Finding(path, text, at_key=at_key)


def _advice(kind: str, came: object, expected: str, takes_list: bool) -> str:
    if kind == "string_type" and isinstance(came, bool | int | float):
        return "; put it in quotes"
    if not isinstance(came, str):
        return ""
    if kind in ("literal_error", "enum"):
        return did_you_mean(nearest(came, re.findall("'([^']*)'", expected)))
    if kind.startswith(("int_", "float_")):
        is_whole = kind.startswith("int_")
        return advice_on_number(came, is_whole=is_whole, takes_list=takes_list)
    return no_space(came) if kind in _MAPPINGS else ""


def _fit(loc: Iterable[str | int], value: object) -> tuple[KeyPath, object]:
    """The part of `loc` that exists in `value`, and the value there.

    Steps that pydantic adds (the branch of a union, an index that a short form leaves out) do
    not exist in the document and are skipped.
    """
    path: list[str | int] = []
    for step in loc:
        if _has(value, step):
            value = value[step]  # type: ignore[index]
            path.append(step)
    return tuple(path), value


def _has(value: object, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value


def _without_branches(errors: Sequence[ErrorDetails], value: object) -> list[ErrorDetails]:
    """`errors` without those of union branches of another type, if one branch has the right type.

    The error of the branch with the right type is the one to report.
    """
    matched = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]) - 1)}
    matched |= {error["loc"][:-1] for error in errors if not _MISMATCH.search(error["type"])}
    return [
        error
        for error in errors
        if error["loc"][:-1] not in matched
        or not _MISMATCH.search(error["type"])
        or not _is_branch(error["loc"], value)
    ]


def _is_branch(loc: tuple[str | int, ...], value: object) -> bool:
    """Whether `loc` ends in a step that pydantic adds, the name of a branch of a union."""
    *parents, last = loc or ("",)
    return isinstance(last, str) and not _has(_fit(parents, value)[1], last)


def _merged(findings: Iterable[_Finding]) -> list[_Finding]:
    """`findings` with the branches of a union joined, and without a missing key that is only
    misspelled."""
    meant = {(found.path[:-1], found.meant) for found in findings if found.meant}
    merged: dict[object, _Finding] = {}
    for found in findings:
        place = (found.path, found.at_key, bool(found.expected) or found.text)
        if found.expected and place in merged:
            expected = f"{merged[place].expected} or {found.expected}"
            merged[place] = replace(merged[place], expected=expected)
        elif (found.path, found.missing) not in meant:
            merged[place] = found
    return list(merged.values())
