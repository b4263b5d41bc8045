"""`nstd schema`: the JSON Schema of the sidecar, the recipe, the config or the record."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nstd.cli.app import config_option, config_or_defaults
from nstd.client.editor import current_recipe_schema, current_schema, record_schema
from nstd.documents.schema import config_schema


@click.command("schema")
@config_option
@click.argument(
    "what", type=click.Choice(["sidecar", "recipe", "config", "record"]), default="sidecar"
)
def command(config: Path | None, what: str) -> None:
    """Print the JSON Schema of a sidecar, a recipe, the config, or the record beside a picture.

    Those of a sidecar, which is printed where nothing is said, and of a recipe have the options of
    every healthy backend.
    """
    if what == "record":
        schema = record_schema()
    elif what == "config":
        schema = config_schema()
    elif what == "recipe":
        schema = current_recipe_schema(config_or_defaults(config))
    else:
        schema = current_schema(config_or_defaults(config))
    click.echo(json.dumps(schema, indent=2))
