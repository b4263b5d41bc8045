"""`nstd demo`: from nothing to two pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command("demo")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="nstd-demo")
def command(folder: Path) -> None:
    """Make a root in FOLDER (./nstd-demo), drop two drawn sample pairs, and make the pictures."""
    from nstd import samples
    from nstd.cli.bars import Bars
    from nstd.config import load_config
    from nstd.daemon import Daemon
    from nstd.root import CONFIG, make_root

    make_root(folder)
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    overrides = {"watch.settle": 0.2, "log.console": "none" if on_terminal else "auto"}
    config = load_config((folder / CONFIG).resolve(), overrides)
    sidecars = samples.copy_to(config.folder("inbox"))
    click.echo(f"making {len(sidecars)} pictures in {folder}", err=True)
    with Bars(len(sidecars), visible=on_terminal) as bars:
        status = Daemon(config, once=True).run()
    for output, words in bars.ended:
        click.echo(f"{config.folder('outbox') / output}  {words}")
    sys.exit(status or (1 if bars.failed else 0))
