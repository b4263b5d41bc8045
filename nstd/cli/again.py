"""`nstd again`: makes a finished job once more, with changes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nstd.cli.app import NO_DAEMON, config_option, job_argument


@click.command("again")
@config_option
@job_argument("done", "failed")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="A change: any key of the sidecar, like output.format=jpg or options.strength=0.8.",
)
@click.option("--size", metavar="PIXELS", help="Another longest side: -o output.size=PIXELS.")
@click.option("--name", help="Another name of the result; its old one with a number by default.")
@click.option("--wait", is_flag=True, help="Follow the job, and print where the picture is.")
def command(
    config: Path | None,
    job: str,
    options: tuple[str, ...],
    size: str | None,
    name: str | None,
    wait: bool,
) -> None:
    """Make JOB, an id or a name, once more from its record, as a new result.

    All settings are those of the record, also the seed, but for the changes. The pictures are found
    by their bytes in the inbox, the styles and the archive. A failed job is made with changes;
    `nstd retry` runs it again without.
    """
    from nstd.client.again import make_again
    from nstd.client.find import find_job
    from nstd.documents.config import find_config, load_config
    from nstd.system.layout import LOCK
    from nstd.system.lock import holder

    if size is not None:
        options = (*options, f"output.size={size}")
    settings = load_config(find_config(config))
    target = find_job(settings, job, ("done", "failed") if options else ("done",))
    submitted = make_again(settings, settings.folder("outbox") / target.name, options, name)
    click.echo(f"submitted {submitted.sidecar}", err=wait)
    if wait:
        from nstd.cli import wait as waiting

        sys.exit(0 if waiting.wait(settings, [submitted]) else 1)
    if holder(settings.folder("work") / LOCK) is None:
        click.echo(NO_DAEMON, err=True)
