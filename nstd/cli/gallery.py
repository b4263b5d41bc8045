"""`nstd gallery`: updates the page of all results without a daemon."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option
from nstd.system.units import counted


@click.command("gallery")
@config_option
@click.option("--rebuild", is_flag=True, help="Make it anew from the records in the outbox.")
def command(config: Path | None, rebuild: bool) -> None:
    """Write the page of all results, and print where it is; a daemon does so by itself."""
    from nstd.documents.config import find_config, load_config
    from nstd.errors import printable
    from nstd.outbox.gallery.build import build

    settings = load_config(find_config(config))
    built = build(settings, rebuild=rebuild)
    if built.pid is not None:
        doing = "makes it anew" if rebuild else "keeps it up to date"
        click.echo(f"the daemon (pid {built.pid or 'not known'}) {doing}", err=True)
    else:
        click.echo(counted(built.entries, "result or failure", "results and failures"), err=True)
    click.echo(printable(built.page))
