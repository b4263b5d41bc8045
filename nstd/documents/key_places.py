"""The keys that the models of a document know, and the places where each belongs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nstd.documents.document import KeyPath
from nstd.errors import printable


@dataclass(frozen=True)
class KeyPlaces:
    """Finds where a key belongs that is at the wrong level of a document.

    `whole` is the model of the document; `at` is the path of the validated value in it.
    """

    whole: type[BaseModel]
    at: KeyPath

    def advice(self, key: str, loc: Iterable[str | int]) -> str:
        """Where `key` belongs, if it is a known key at another place than `loc`."""
        here = tuple(step for step in (*self.at, *loc) if isinstance(step, str))
        places = [place for place in _places(self.whole, key) if place != here]
        if not places:
            return ""
        if () in places:
            return f"; it goes to the top level, not under {here[-1]}"
        return f"; it goes under {'.'.join(places[0])}: `{_written(places[0], key)}`"

    def free(self, key: str) -> str:
        """Which mapping takes any key, such as the options of a backend."""
        if self.at:
            return ""
        names = [
            name for name, f in fields_of(self.whole).items() if f.annotation == dict[str, Any]
        ]
        return f"; if it is an option of the backend: `{_written(names[:1], key)}`" if names else ""


def _places(model: type[BaseModel], key: str) -> Iterator[tuple[str, ...]]:
    """The paths of the mappings inside `model` that know `key`, the outermost first."""
    fields = fields_of(model)
    if key in fields:
        yield ()
    for name, field in fields.items():
        for inner in _models(field.annotation):
            for place in _places(inner, key):
                yield name, *place


def _written(place: Sequence[str], key: str) -> str:
    return "".join(f"{name}: {{" for name in place) + f"{printable(key)}: ..." + "}" * len(place)


def keys_at(model: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The keys of the model at `loc` inside `model`."""
    models = [model]
    for step in loc:
        fields = [field for each in models for field in fields_of(each).items() if field[0] == step]
        if fields:  # other steps (an index, a branch of a union) stay in the same model
            models = [inner for _, field in fields for inner in _models(field.annotation)]
    return [name for each in models for name in fields_of(each)]


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model, by the keys that people write."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model inside a type such as `list[StyleEntry] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
