"""`nstd backends`: what can make pictures."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from nstd.plugins import Plugins
from nstd.probe import Status


@click.command("backends")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(as_json: bool) -> None:
    """List backends with their status, the reason when they are off, and their options."""
    plugins = Plugins()
    found = plugins.check_all()
    if as_json:
        click.echo(json.dumps([asdict(plugin) for plugin in found], indent=2))
        return
    for plugin in found:
        click.echo(f"{plugin.name:16} {plugin.status.value:14} {plugin.distribution}")
        if plugin.status is not Status.OK:
            click.echo(f"    {plugin.reason}")
            continue
        click.echo(f"    {plugin.summary}")
        for name, option in plugins.get(plugin.name).Options.model_fields.items():
            default = "" if option.is_required() else f" [{option.default}]"
            click.echo(f"    {name:20} {option.description or ''}{default}")
