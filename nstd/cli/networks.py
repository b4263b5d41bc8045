"""`nstd networks`: lists the networks and installs their weights."""

from __future__ import annotations

from pathlib import Path

import click

from nstd.backends.weights import install, is_other, listing
from nstd.backends.weights_registry import PREFIX, TORCHVISION_NOTE
from nstd.cli.app import config_option, config_or_defaults
from nstd.documents.config import find_config, load_config
from nstd.errors import WeightsError
from nstd.system.units import format_size


@click.group("networks", invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context, config: Path | None) -> None:
    """List the networks with their SHA-256; `fixed`, `student` and `fitted` are always there."""
    if context.invoked_subcommand is not None:
        context.obj = config
        return
    folder = config_or_defaults(config).folder("networks")
    _say("fixed", "embedded: the same filters for every job, nothing to install")
    _say("student", "embedded: learned from VGG-19, sees large shapes, nothing to install")
    _say("fitted", "embedded: fitted to each pair, nothing to install")
    others = list[str]()
    for name, weights, found in listing(folder):
        if is_other(name, found):
            others.append(f"{name.removeprefix(PREFIX)} ({format_size(weights.size)})")
        elif isinstance(found, WeightsError):
            _say(name, f"{found.message} ({format_size(weights.size)})", found.hint, weights.note)
        else:
            _say(name, f"{found.path}  sha256 {found.sha256}", weights.note)
    if others:
        lead = f"not installed; `nstd networks install {PREFIX}NAME` installs one, where NAME is"
        rows = (", ".join(others[start : start + 4]) for start in range(0, len(others), 4))
        _say(f"{PREFIX}NAME", lead, *rows, TORCHVISION_NOTE)


def _say(name: str, *lines: str) -> None:
    for number, line in enumerate(lines):
        click.echo(f"{'' if number else name:18} {line}")


@command.command("install")
@config_option
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file that is here already, instead of a download.",
)
@click.option("--sha256", help="The SHA-256 of another file that you trust.")
@click.pass_obj
def install_command(
    given: Path | None, config: Path | None, name: str, source: Path | None, sha256: str | None
) -> None:
    """Install the weights NAME into the root's networks folder, verified by SHA-256."""
    folder = load_config(find_config(config or given)).folder("networks")
    installed = install(name, folder, source, sha256)
    click.echo(f"installed {installed.path}  sha256 {installed.sha256}")
