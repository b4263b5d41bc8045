"""`nstd hold`: a job that waits does not start until it is released."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option, job_argument
from nstd.client.ask import ask, find_waiting
from nstd.documents.config import find_config, load_config
from nstd.errors import printable
from nstd.queue.control import ControlRequest


@click.command("hold")
@config_option
@job_argument("batch", "work", "inbox")
def command(config: Path | None, job: str) -> None:
    """Keep JOB, an id or a name, from starting until `nstd release JOB`.

    JOB may be a batch: all of its jobs that wait are held, and those that run go on. A name that
    ends with a slash is a folder with a recipe: its pictures wait in the inbox.
    """
    settings = load_config(find_config(config))
    name = find_waiting(settings, job, folders=True).name
    when = ask(settings, ControlRequest("hold", name))
    click.echo(f"{printable(name)} will be held{when}; `nstd release` lets it start")
