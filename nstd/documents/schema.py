"""The JSON Schemas of sidecars, recipes and the config: editors complete and check with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from nstd.documents.config import Config
from nstd.documents.grid import GridSidecar, takes_list
from nstd.documents.ramp import RAMPED
from nstd.documents.recipe import Recipe
from nstd.system.units import DURATION

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def sidecar_schema(
    backends: Mapping[str, type[BaseModel]] | None = None, default: str | None = None
) -> dict[str, Any]:
    """The JSON Schema of a sidecar, for completion and checks in editors.

    `backends` has the options of each backend; `default` is the backend of sidecars without one.
    """
    return _with_options(GridSidecar, "nstd sidecar", backends, default)


def recipe_schema(
    backends: Mapping[str, type[BaseModel]] | None = None, default: str | None = None
) -> dict[str, Any]:
    """The same of the recipe of a folder."""
    return _with_options(Recipe, "nstd recipe", backends, default)


def _with_options(
    document: type[BaseModel],
    title: str,
    backends: Mapping[str, type[BaseModel]] | None,
    default: str | None,
) -> dict[str, Any]:
    backends = dict(sorted((backends or {}).items()))
    models: list[type[BaseModel]] = [document, *backends.values()]
    refs, shared = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)],
        schema_generator=_Untitled,
    )
    definitions = shared["$defs"]
    own = definitions.pop(refs[document, "validation"]["$ref"].rpartition("/")[2])
    schema = {
        "$schema": _DRAFT,
        **own,
        "title": title,
    }
    if backends:
        schema["properties"]["backend"]["examples"] = list(backends)
        schema["allOf"] = []
        for number, (name, model) in enumerate(backends.items()):
            own = refs[model, "validation"]["$ref"].rpartition("/")[2]
            definitions[f"options-{number}"] = _with_lists(model, definitions[own])
            reference = {"$ref": f"#/$defs/options-{number}"}
            schema["allOf"].append(_options_rule(name, reference, needed=name != default))
    return schema | {"$defs": _needed(schema, definitions)}


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the config."""
    return _whole(Config.model_json_schema(schema_generator=_Untitled))


def written_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a file that nstd writes: a newer version may add keys."""
    return _whole(model.model_json_schema(mode="serialization", schema_generator=_Untitled))


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": _DRAFT, **schema}


def _with_lists(model: type[BaseModel], own: dict[str, Any]) -> dict[str, Any]:
    """The options of a backend, each of which may also be a list of values (a grid), and some a
    ramp."""
    properties = dict(own.get("properties", {}))
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in properties and not takes_list(field.annotation):
            described = {
                k: v for k, v in properties[key].items() if k in ("description", "default")
            }
            value = {k: v for k, v in properties[key].items() if k not in described}
            forms = [value, _ramp(value)] if key in RAMPED else [value]
            one = {"anyOf": forms} if len(forms) > 1 else value
            several = {"type": "array", "minItems": 1, "items": one}
            properties[key] = {"anyOf": [*forms, several], **described}
    return {**own, "properties": properties}


def _ramp(value: dict[str, Any]) -> dict[str, Any]:
    """A mapping of times to values."""
    times = {"patternProperties": {DURATION.pattern: value}, "additionalProperties": False}
    return {"type": "object", "minProperties": 1, **times}


def _needed(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that the schema refers to, directly or indirectly."""
    needed: dict[str, Any] = {}
    texts = [json.dumps(schema)]
    while texts:
        text = texts.pop()
        for name in definitions.keys() - needed.keys():
            if f'"#/$defs/{name}"' in text:
                needed[name] = definitions[name]
                texts.append(json.dumps(definitions[name]))
    return dict(sorted(needed.items()))


def _options_rule(backend: str, options: dict[str, Any], needed: bool) -> dict[str, Any]:
    """The rule that sidecars of `backend` take `options`; also sidecars without a backend, unless
    `needed`."""
    named: dict[str, Any] = {"properties": {"backend": {"const": backend}}}
    if needed:
        named["required"] = ["backend"]
    return {"if": named, "then": {"properties": {"options": options}}}


class _Untitled(GenerateJsonSchema):
    """Omits the titles, which only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False
