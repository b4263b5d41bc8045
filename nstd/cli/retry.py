"""`nstd retry`: runs a job, or the failed jobs of a batch, again from the inputs."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option, job_argument
from nstd.client.ask import ask
from nstd.client.find import find_job
from nstd.client.retry import failed_of, missing_pictures, resubmit
from nstd.client.retry_unreadable import resubmit_unreadable
from nstd.documents.config import Config, find_config, load_config
from nstd.errors import printable
from nstd.queue.control import ControlRequest
from nstd.system.durable import Files


@click.command("retry")
@config_option
@job_argument("failed batch", "work", "unreadable", "failed")
def command(config: Path | None, job: str) -> None:
    """Run JOB, an id or a name, again: a failed one, a waiting one, or the running one.

    JOB may be a batch: all of its jobs that have failed are.
    """
    settings = load_config(find_config(config))
    target = find_job(settings, job, ("failed batch", "work", "unreadable", "failed"))
    if target.where == "work":
        when = ask(settings, ControlRequest("retry", target.name))
        click.echo(f"{target.name} starts again from its inputs{when}")
        return
    if target.where == "unreadable":
        _tell(settings, resubmit_unreadable(settings, target.name, Files()))
        return
    outbox = settings.folder("outbox")
    is_batch = target.where == "failed batch"
    for folder in failed_of(outbox, target.name) if is_batch else [outbox / target.name]:
        _tell(settings, resubmit(settings, folder, Files()))


def _tell(config: Config, sidecar: Path) -> None:
    click.echo(f"{printable(sidecar)} is in the inbox again")
    if missing := missing_pictures(config, sidecar):
        names = ", ".join(map(repr, missing))
        click.echo(f"it waits for {names}, of which no copy is left: put that beside it")
