"""`nstd cancel`: end a job that waits or runs, or what is left of a batch."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option, job_argument
from nstd.client.ask import ask
from nstd.client.find import find_job
from nstd.documents.config import find_config, load_config
from nstd.queue.control import ControlRequest


@click.command("cancel")
@config_option
@job_argument("batch", "work", "inbox")
def command(config: Path | None, job: str) -> None:
    """End JOB, an id or a name; it goes to outbox/failed with the code `cancelled`.

    JOB may be a batch: all of its jobs that have not ended are.
    """
    settings = load_config(find_config(config))
    target = find_job(settings, job, ("batch", "work", "inbox"))
    when = ask(settings, ControlRequest("cancel", target.name))
    click.echo(f"{target.name} will be cancelled{when}")
