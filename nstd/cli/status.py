"""`nstd status`: shows waiting, running, finished and failed jobs; or whether the daemon lives."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from nstd.cli.app import config_option, config_to_look
from nstd.cli.status_text import render
from nstd.client.readable import check_readable
from nstd.client.status import pause, read_status

if TYPE_CHECKING:
    from nstd.documents.config import Config


@click.command("status")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--watch", is_flag=True, help="Again every second, until ^C.")
@click.option(
    "--health", is_flag=True, help="Only whether the daemon is alive; exit code 1 if it is not."
)
def command(config: Path | None, as_json: bool, watch: bool, health: bool) -> None:
    """Show what is going on; works from the disk alone, whether the daemon runs or not."""
    settings = config_to_look(config)
    if health:
        if as_json or watch:
            raise click.UsageError("--health goes with neither --json nor --watch")
        _tell_life(settings)
    check_readable(settings)
    if watch and not as_json and _can_draw():
        from nstd.cli.watch import watch as draw

        draw(settings)
    while True:
        began = time.monotonic()
        status = read_status(settings)
        click.echo(json.dumps(status.as_json(), indent=2) if as_json else render(status))
        if not watch:
            return
        time.sleep(pause(time.monotonic() - began))


def _tell_life(config: Config) -> NoReturn:
    """Say whether the daemon is alive, and exit."""
    from nstd.client.health_check import check_life

    life = check_life(config.folder("work"))
    click.echo(life.text)
    sys.exit(0 if life.is_alive else 1)


def _can_draw() -> bool:
    """Whether the terminal can update the display in place; else each status is printed below."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}
