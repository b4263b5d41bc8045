"""`nstd backends`: the installed backends."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from nstd.backend import takes
from nstd.backends.discovery import Plugin
from nstd.backends.probe import BackendStatus
from nstd.backends.registry import Backends
from nstd.cli.app import config_option, config_or_defaults


@click.command("backends")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(config: Path | None, as_json: bool) -> None:
    """List backends with their status, the reason when they are off, and their options."""
    default = config_or_defaults(config).jobs.backend
    plugins = Backends()
    found = plugins.check_all()
    if as_json:
        click.echo(json.dumps([asdict(plugin) for plugin in found], indent=2))
        return
    for plugin in found:
        mark = "  (jobs.backend)" if plugin.name == default else ""
        click.echo(f"{plugin.name:16} {plugin.status.value:14} {_source(plugin)}{mark}")
        if plugin.status is not BackendStatus.OK:
            click.echo(f"    {plugin.reason}")
            continue
        click.echo(f"    {plugin.summary}")
        backend = plugins.get(plugin.name)
        side = "that of the content" if backend.size is None else f"at most {backend.size} pixels"
        click.echo(f"    {'output.size':20} Longest side of the result. [{side}]")
        roles = takes(backend)
        if pictures := roles - {"earlier"}:
            click.echo(f"    takes pictures as {', '.join(sorted(pictures))}")
        if "earlier" in roles:
            click.echo("    makes films that do not flicker")
        for name, option in backend.Options.model_fields.items():
            unset = option.is_required() or option.default is None
            usual = "" if unset else f" [{option.default}]"
            click.echo(f"    {name:20} {option.description or ''}{usual}")


def _source(plugin: Plugin) -> str:
    """The distribution that it comes from, and its version: what a new worker runs."""
    return f"{plugin.distribution} {plugin.version}".rstrip()
