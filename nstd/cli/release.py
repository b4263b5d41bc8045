"""`nstd release`: a held job may start again."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option, job_argument
from nstd.client.ask import ask, find_waiting
from nstd.documents.config import find_config, load_config
from nstd.errors import printable
from nstd.queue.control import ControlRequest


@click.command("release")
@config_option
@job_argument("batch", "work", "inbox")
def command(config: Path | None, job: str) -> None:
    """Let JOB, an id or a name, start, which `nstd hold` has kept from it.

    JOB may be a batch: all of its held jobs may start. A name that ends with a slash is a folder
    with a recipe: all of its pictures that are held may start.
    """
    settings = load_config(find_config(config))
    name = find_waiting(settings, job, folders=True).name
    when = ask(settings, ControlRequest("release", name))
    click.echo(f"{printable(name)} may start{when}")
