"""`nstd priority`: which job that waits is made first."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option, job_argument
from nstd.client.ask import ask, find_waiting
from nstd.client.recipe_folder import is_recipe_folder
from nstd.documents.config import find_config, load_config
from nstd.errors import StoreError, printable
from nstd.queue.control import HIGHEST, ControlRequest


@click.command("priority")
@config_option
@job_argument("batch", "work", "inbox")
@click.argument("number", metavar="N", type=click.IntRange(0, HIGHEST))
def command(config: Path | None, job: str, number: int) -> None:
    """Give JOB, an id or a name, the priority N, from 0 to 100; the highest is made first.

    JOB may be a batch: all of its jobs that wait get it. It counts instead of that of the sidecar.
    """
    settings = load_config(find_config(config))
    if is_recipe_folder(settings, job) and job.endswith("/"):
        raise StoreError(
            "not_found",
            f"{job!r} is a folder with a recipe, and no job",
            f"write `priority: {number}` into its recipe, for what is taken from then on; those of "
            "its jobs that wait already have their names in `nstd status`",
        )
    name = find_waiting(settings, job).name
    when = ask(settings, ControlRequest("priority", name, priority=number))
    click.echo(f"{printable(name)} will have priority {number}{when}")
