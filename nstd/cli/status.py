"""`nstd status`: shows waiting, running, finished and failed jobs."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from nstd.cli.app import config_option, config_to_look
from nstd.cli.status_text import render
from nstd.client.readable import check_readable
from nstd.client.status import pause, read_status


@click.command("status")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--watch", is_flag=True, help="Again every second, until ^C.")
def command(config: Path | None, as_json: bool, watch: bool) -> None:
    """Show what is going on; works from the disk alone, whether the daemon runs or not."""
    settings = config_to_look(config)
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


def _can_draw() -> bool:
    """Whether the terminal can update the display in place; else each status is printed below."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}
