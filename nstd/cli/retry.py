"""`nstd retry`: run a job again from its inputs."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option, job_argument
from nstd.config import find_config, load_config
from nstd.files import Files
from nstd.find import find_job
from nstd.lock import holder
from nstd.requests import Request, Requests
from nstd.resubmit import resubmit


@click.command("retry")
@config_option
@job_argument("work", "failed")
def command(config: Path | None, job: str) -> None:
    """Run JOB, an id or a name, again: a failed one, a waiting one, or the running one."""
    settings = load_config(find_config(config))
    target = find_job(settings, job, ("work", "failed"))
    work = settings.folder("work")
    if target.where == "work":
        Requests(work, Files()).leave(Request("retry", target.name))
        when = "" if holder(work / "daemon.lock") else " when the daemon runs again"
        click.echo(f"{target.name} starts again from its inputs{when}")
    else:
        sidecar = resubmit(settings, settings.folder("outbox") / target.name, Files())
        click.echo(f"{sidecar} is in the inbox again")
