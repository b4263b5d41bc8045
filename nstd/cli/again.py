"""`nstd again`: makes a finished job, or all of a recipe's folder, once more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nstd.cli.app import NO_DAEMON, config_option, job_argument
from nstd.errors import in_shell, printable
from nstd.system.units import counted, pictures_and_films

if TYPE_CHECKING:
    from nstd.documents.config import Config

_SHOWN = 20


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
@click.option("--yes", is_flag=True, help="Make a folder again without asking.")
@click.option("--wait", is_flag=True, help="Follow the job, and print where the picture is.")
def command(
    config: Path | None,
    job: str,
    options: tuple[str, ...],
    size: str | None,
    name: str | None,
    yes: bool,
    wait: bool,
) -> None:
    """Make JOB, an id or a name, once more from its record, as a new result.

    A name that ends with a slash is a folder with a recipe: all of its pictures that were made are
    made once more, with the recipe as it is now. It says how many they are, and asks.

    Of one job, all settings are those of the record, also the seed, but for the changes. The
    pictures are found by their bytes in the inbox, the styles and the archive. A failed job is made
    with changes; `nstd retry` runs it again without.
    """
    from nstd.client.again import make_again
    from nstd.client.find import find_job
    from nstd.client.recipe_folder import folder_meant
    from nstd.documents.config import find_config, load_config
    from nstd.errors import StoreError
    from nstd.system.layout import LOCK
    from nstd.system.lock import holder

    if size is not None:
        options = (*options, f"output.size={size}")
    settings = load_config(find_config(config))
    if job.endswith("/"):
        if options or name or wait:
            raise click.UsageError("a folder is made as its recipe says: change that instead")
        _folder(settings, job, yes)
        return
    try:
        target = find_job(settings, job, ("done", "failed") if options else ("done",))
    except StoreError as error:
        raise folder_meant(settings, job, error) from None
    submitted = make_again(settings, settings.folder("outbox") / target.name, options, name)
    click.echo(f"submitted {submitted.sidecar}", err=wait)
    if wait:
        from nstd.cli import wait as waiting

        sys.exit(0 if waiting.wait(settings, [submitted]) else 1)
    if holder(settings.folder("work") / LOCK) is None:
        click.echo(NO_DAEMON, err=True)


def _folder(config: Config, wanted: str, yes: bool) -> None:
    """Say what would be made once more, ask, and have it done."""
    from nstd.client.again_folder import make_folder_again, plan_again
    from nstd.client.recipe_folder import find_recipe_folder

    plan = plan_again(config, find_recipe_folder(config, wanted))
    folder = in_shell(f"{plan.folder}/")
    if plan.is_asked:
        click.echo(f"{folder} was asked for already; the daemon makes it again when it runs")
        return
    jobs = "" if plan.jobs == 1 else f" ({counted(plan.pictures * plan.jobs, 'job')})"
    all_of_it = f"{pictures_and_films(plan.pictures - plan.films, plan.films)} of {folder}"
    click.echo(f"{all_of_it}{jobs} would be made again")
    if plan.failed:
        click.echo(f"  {plan.failed} of them {'has' if plan.failed == 1 else 'have'} failed so far")
    if plan.found:
        click.echo(f"  {len(plan.found)} of them do not lie there now: copies come back into it")
    if plan.missing:
        click.echo(f"  no file is left of {counted(len(plan.missing), 'picture')}:")
        for missing in plan.missing[:_SHOWN]:
            click.echo(f"    {printable(missing)}")
        if (more := len(plan.missing) - _SHOWN) > 0:
            click.echo(f"    ... and {more} more")
    if plan.is_held:
        click.echo(f"  the folder is held: they wait for `nstd release {folder}`")
    if not yes:
        click.confirm("go on?", abort=True)
    when = make_folder_again(config, plan)
    click.echo(f"{all_of_it} will be made again{when}")
