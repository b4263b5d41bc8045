"""`nstd schema`: the JSON Schema of the sidecar."""

from __future__ import annotations

import json

import click

from nstd.plugins import Plugins
from nstd.probe import Status
from nstd.sidecar import sidecar_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of a sidecar, with the options of every healthy backend."""
    plugins = Plugins()
    healthy = [plugin.name for plugin in plugins.check_all() if plugin.status is Status.OK]
    schema = sidecar_schema({name: plugins.get(name).Options for name in healthy}, default="gatys")
    click.echo(json.dumps(schema, indent=2))
