"""`nstd schema`: the JSON Schema of the sidecar."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nstd.cli.app import config_option, config_or_defaults
from nstd.plugins import Plugins
from nstd.probe import Status
from nstd.schema import sidecar_schema


@click.command("schema")
@config_option
def command(config: Path | None) -> None:
    """Print the JSON Schema of a sidecar, with the options of every healthy backend."""
    default = config_or_defaults(config).jobs.backend
    plugins = Plugins()
    healthy = [plugin.name for plugin in plugins.check_all() if plugin.status is Status.OK]
    options = {name: plugins.get(name).Options for name in healthy}
    schema = sidecar_schema(options, default)
    click.echo(json.dumps(schema, indent=2))
