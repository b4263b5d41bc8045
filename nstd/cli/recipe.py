"""`nstd recipe`: makes the recipe of a folder of the inbox."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.cli.app import config_option
from nstd.client.recipe import RecipeRequest, make_recipe
from nstd.documents.config import find_config, load_config
from nstd.errors import in_shell


@click.command("recipe")
@config_option
@click.argument("folder")
@click.argument("styles", metavar="STYLE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any key of the recipe, like output.size=1024, preset=fine, match=*.jpg or "
    "pictures=archive.",
)
@click.option(
    "--size", metavar="PIXELS", help="Longest side of the pictures: -o output.size=PIXELS."
)
@click.option("--grid", is_flag=True, help="Each STYLE makes a job; without it they are mixed.")
def command(
    config: Path | None,
    folder: str,
    styles: tuple[str, ...],
    options: tuple[str, ...],
    size: str | None,
    grid: bool,
) -> None:
    """Have every picture that comes into FOLDER, a folder of the inbox, painted in the STYLE.

    STYLE is a picture file, which is copied there, or the name of a style in the library. A recipe
    that is there is not overwritten: it is a small text file, to be edited.
    """
    if size is not None:
        options = (*options, f"output.size={size}")
    settings = load_config(find_config(config))
    path = make_recipe(settings, RecipeRequest(folder, styles, options, grid))
    click.echo(f"made {path}")
    click.echo(
        f"drop pictures into {path.parent}; `nstd check {in_shell(path.parent)}` looks ahead"
    )
