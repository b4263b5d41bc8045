"""The command `nstd`: its sub-commands, its common options, and how errors end it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from nstd import __version__
from nstd.errors import NstdError

EXIT_CODES = {
    0: "done; for `run`, also when jobs failed",
    1: "something that was checked or asked for is wrong",
    2: "the command line is wrong",
    3: "the config is missing or not valid",
    4: "another daemon works on this root",
    5: "every device is down",
    70: "a bug in nstd",
}
_EXIT_OF = {"config_invalid": 3, "already_running": 4, "internal_error": 70}

_COMMANDS = {
    "init": "make a root: its folders and a commented config",
    "demo": "make two pictures from drawn samples, from nothing",
    "run": "the daemon",
    "submit": "put a pair into the inbox",
    "check": "validate sidecars without running them",
    "status": "what waits, runs, is done and has failed",
    "cancel": "end a job that waits or runs",
    "retry": "run a failed, waiting or running job again from its inputs",
    "backends": "what can make pictures, and what is wrong with the rest",
    "networks": "weights that are installed, and how to install more",
    "doctor": "check this machine",
    "schema": "the JSON Schema of the sidecar, for editors",
}


class LazyGroup(click.Group):
    """Imports a command's module only when it is asked for: `status` must answer at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"nstd.cli.{cmd_name}")
        command: click.Command = getattr(module, "command")  # noqa: B009 - typed by the left side
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from nstd.diagnose import did_you_mean, nearest

            meant = did_you_mean(nearest(args[0], _COMMANDS))
            raise click.UsageError(error.format_message() + meant, ctx) from None


config_option = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    help="The config file or its folder; else $NSTD_CONFIG, else ./config.yaml.",
)


def _epilog() -> str:
    return "\b\nExit codes:\n" + "\n".join(f"  {n:>2}  {text}" for n, text in EXIT_CODES.items())


@click.group(
    cls=LazyGroup, epilog=_epilog(), context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="nstd")
def app() -> None:
    """A watch-folder batch daemon for neural style transfer: drop a pair, get a picture."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; every error of nstd becomes a message, a hint and an exit code."""
    try:
        return app(arguments)
    except NstdError as error:
        click.echo(f"nstd: {error.message} [{error.code}]", err=True)
        if error.hint:
            click.echo(f"      {error.hint}", err=True)
        sys.exit(_EXIT_OF.get(error.code, 1))
