"""`nstd resume`: jobs are started again."""

from __future__ import annotations

import time
from pathlib import Path

import click

from nstd.cli.app import config_option
from nstd.client.ask import ask
from nstd.documents.config import find_config, load_config
from nstd.documents.schedule import Schedule
from nstd.queue.control import ControlRequest
from nstd.queue.start_pause import closed_hours


@click.command("resume")
@config_option
def command(config: Path | None) -> None:
    """Start jobs again, after `nstd pause`. Held jobs stay held."""
    settings = load_config(find_config(config))
    when = ask(settings, ControlRequest("resume"))
    closed = closed_hours(Schedule(settings.schedule), time.time())
    but = f", but {closed.describe()}" if closed else ""
    click.echo(f"jobs are started again{when}{but}")
