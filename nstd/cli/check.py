"""`nstd check`: validate sidecars without running them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nstd.cli.app import config_option, config_or_defaults
from nstd.config import Config
from nstd.errors import FileError, NstdError, printable
from nstd.grid import describe, parse_grid
from nstd.order import make_plan
from nstd.plugins import Plugins
from nstd.roots import Root
from nstd.sidecar import MAX_BYTES


@click.command("check")
@config_option
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
def command(config: Path | None, files: tuple[Path, ...]) -> None:
    """Say what is wrong with sidecars: file, line, column, and the nearest right key."""
    settings, plugins = config_or_defaults(config), Plugins()
    wrong = [path for path in files if not _check(path, settings, plugins)]
    sys.exit(1 if wrong else 0)


def _check(path: Path, config: Config, plugins: Plugins) -> bool:
    name = printable(path)
    try:
        with Root(path.parent).open(path.name) as file:
            data = file.read(MAX_BYTES + 1)
        plan = make_plan(path.name, parse_grid(data, name), config, plugins)
    except OSError as error:
        click.echo(f"{name}: {error.strerror}")
        return False
    except NstdError as error:
        click.echo(error.message if isinstance(error, FileError) else f"{name}: {error.message}")
        if error.hint and not isinstance(error, FileError):
            click.echo(f"  {error.hint}")
        return False
    jobs = f", makes {len(plan.members)} jobs ({describe(plan.axes)})" if plan.axes else ""
    click.echo(printable(f"{name}: fine{jobs}"))
    return True
