"""What `nstd check FOLDER` says: of each file, what the recipe of its folder would do with it."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.errors import SidecarError, in_shell, printable
from nstd.intake.names import RECIPES
from nstd.intake.survey import RecipeSurvey, Survey
from nstd.system.nofollow import Folder, join


def check_folder(path: Path, config: Config, backends: Backends) -> bool:
    """Print what becomes of the files in a folder of the inbox; whether its recipes are valid."""
    inbox, real = config.folder("inbox").resolve(), path.resolve()
    if not real.is_relative_to(inbox):
        click.echo(f"'{printable(path)}' is a folder outside the inbox; name the files in it")
        return False
    folder = "" if real == inbox else str(real.relative_to(inbox))
    try:
        found = list(Survey(config, backends, thorough=True).folders())
    except OSError as error:
        click.echo(f"{printable(path)}: {error.strerror}")
        return False
    ours = [each for each in found if _is_about(each, folder)]
    if not ours and (why := _why_closed(Folder(inbox), folder)):
        click.echo(f"{why}\n  its pictures wait")
        return False
    if not ours:
        name = in_shell(folder or "FOLDER")
        click.echo(f"no recipe is for '{printable(path)}': `nstd recipe {name} STYLE` makes one")
        return False
    valid = [_show(each, folder) for each in ours]
    return all(valid)


def _why_closed(inbox: Folder, folder: str) -> str:
    """Why a recipe of a folder cannot be read; "" if it can, or if there is none."""
    for name in (join(folder, leaf) for leaf in RECIPES):
        try:
            inbox.open(name).close()
        except FileNotFoundError:
            pass
        except OSError as error:
            return f"{printable(inbox.path / name)}: {error.strerror}"
        except SidecarError as error:
            return f"{error.message}\n  {error.hint}".rstrip()
    return ""


def describe_recipe(jobs: int) -> str:
    """What a valid recipe makes."""
    return "a recipe" if jobs == 1 else f"a recipe, makes {jobs} jobs of each picture"


def _is_about(survey: RecipeSurvey, folder: str) -> bool:
    """Whether the recipe has files in the folder, or lies below it."""
    return _is_below(survey.folder, folder) or any(
        _is_below(each.name, folder) for each in survey.files
    )


def _is_below(name: str, folder: str) -> bool:
    return not folder or name == folder or name.startswith(f"{folder}/")


def _show(survey: RecipeSurvey, folder: str) -> bool:
    name, error = printable(survey.recipe.name), survey.recipe.error
    if error is None:
        click.echo(f"{name}: fine, {describe_recipe(survey.recipe.jobs)}")
    else:
        click.echo(f"{error.message}\n  its pictures wait")
    for each in survey.files:
        if _is_below(each.name, folder):
            why = each.why or ("becomes a job" if error is None else "waits for the recipe")
            click.echo(f"  {printable(each.name)}: {printable(why)}")
    return error is None
