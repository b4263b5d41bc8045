"""`nstd init`: make a root."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.client.editor import keep_config_schema, keep_sidecar_schema
from nstd.client.init import make_example, make_root
from nstd.documents.config import load_config
from nstd.errors import in_shell
from nstd.system.layout import CONFIG


@click.command("init")
@click.argument("root", type=click.Path(path_type=Path, file_okay=False))
def command(root: Path) -> None:
    """Make the folders of a root and a commented config.yaml; nothing is ever overwritten."""
    is_new = make_root(root)
    keep_config_schema(root)
    keep_sidecar_schema(load_config(root / CONFIG))
    if is_new:
        make_example(root)
    click.echo(f"{'made' if is_new else 'kept'} {root / 'config.yaml'}")
    click.echo(f"start it:  nstd run -c {in_shell(root / 'config.yaml')}")
    click.echo(f"drop pictures and sidecars into {root / 'inbox'}, or make a folder with a recipe:")
    click.echo(f"  nstd recipe -c {in_shell(root)} FOLDER STYLE")
