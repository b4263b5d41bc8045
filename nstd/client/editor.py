"""Support for editors that complete and check our files: JSON Schemas, and a line that names them.

The schemas are hidden files beside the files that they describe, so they also work on a share.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nstd.backends.probe import BackendStatus
from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.documents.schema import config_schema, recipe_schema, sidecar_schema, written_schema
from nstd.documents.template import CONFIG_SCHEMA, schema_line
from nstd.outbox.record import Record
from nstd.system.durable import Files

SIDECAR_SCHEMA = ".sidecar.schema.json"
SIDECAR_LINE = schema_line(SIDECAR_SCHEMA)


def current_schema(config: Config) -> dict[str, Any]:
    """The JSON Schema of a sidecar, with the options of every healthy backend."""
    return sidecar_schema(_options(), config.jobs.backend)


def current_recipe_schema(config: Config) -> dict[str, Any]:
    """The same of the recipe of a folder."""
    return recipe_schema(_options(), config.jobs.backend)


def _options() -> dict[str, type[BaseModel]]:
    plugins = Backends()
    healthy = [plugin.name for plugin in plugins.check_all() if plugin.status is BackendStatus.OK]
    return {name: plugins.get(name).Options for name in healthy}


def record_schema() -> dict[str, Any]:
    """The JSON Schema of the record beside a picture, for programs that read it."""
    return written_schema(Record)


def keep_sidecar_schema(config: Config) -> None:
    """Write the current schema of sidecars into the inbox; skipped if that is not writable."""
    _keep(config.folder("inbox") / SIDECAR_SCHEMA, current_schema(config))


def keep_config_schema(root: Path) -> None:
    """Write the schema of the config beside it."""
    _keep(root / CONFIG_SCHEMA, config_schema())


def _keep(path: Path, schema: dict[str, Any]) -> None:
    data = json.dumps(schema, indent=1).encode() + b"\n"
    with suppress(OSError):
        if not path.is_file() or path.read_bytes() != data:
            Files().write(path, data, durable=False)
