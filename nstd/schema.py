"""The JSON Schemas of sidecars and of the config, from which editors complete and check them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from nstd.config import Config
from nstd.grid import GridSidecar


def sidecar_schema(
    backends: Mapping[str, type[BaseModel]] | None = None, default: str | None = None
) -> dict[str, Any]:
    """The JSON Schema of a sidecar, for completion and checks in editors.

    `backends` gives the options of each backend, `default` the backend of sidecars that name
    none.
    """
    backends = dict(sorted((backends or {}).items()))
    models: list[type[BaseModel]] = [GridSidecar, *backends.values()]
    refs, shared = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)],
        schema_generator=_Untitled,
    )
    definitions = shared["$defs"]
    own = definitions.pop(refs[GridSidecar, "validation"]["$ref"].rpartition("/")[2])
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **own,
        "title": "nstd sidecar",
    }
    if backends:
        schema["properties"]["backend"]["examples"] = list(backends)
        schema["allOf"] = [
            _options_rule(name, refs[model, "validation"], needed=name != default)
            for name, model in backends.items()
        ]
    return schema | {"$defs": definitions}


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the config."""
    schema = Config.model_json_schema(schema_generator=_Untitled)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _options_rule(backend: str, options: dict[str, Any], needed: bool) -> dict[str, Any]:
    """Sidecars of `backend` take `options`; so do those that name none, unless it is `needed`."""
    named: dict[str, Any] = {"properties": {"backend": {"const": backend}}}
    if needed:
        named["required"] = ["backend"]
    return {"if": named, "then": {"properties": {"options": options}}}


class _Untitled(GenerateJsonSchema):
    """Without the titles that only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False
