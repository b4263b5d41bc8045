"""`nstd schema`: the JSON Schema of the sidecar."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nstd.cli.app import config_option, config_or_defaults
from nstd.client.editor import current_schema


@click.command("schema")
@config_option
def command(config: Path | None) -> None:
    """Print the JSON Schema of a sidecar, with the options of every healthy backend."""
    schema = current_schema(config_or_defaults(config))
    click.echo(json.dumps(schema, indent=2))
