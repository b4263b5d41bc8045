"""`nstd submit`: put a pair into the inbox."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)


@click.command("submit")
@config_option
@click.argument("content", type=_FILE)
@click.argument("style")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any key of the sidecar, like output.size=1024 or options.preset=fine.",
)
@click.option("--name", help="Name of the sidecar and the result; CONTENT-in-STYLE by default.")
def command(
    config: Path | None, content: Path, style: str, options: tuple[str, ...], name: str | None
) -> None:
    """Copy CONTENT and STYLE into the inbox, then the sidecar, atomically.

    STYLE is a picture file, or the name of a style in the library.
    """
    from nstd.config import find_config, load_config
    from nstd.submit import submit

    settings = load_config(find_config(config))
    sidecar = submit(settings, content, style, options, name)
    click.echo(f"submitted {sidecar}")
