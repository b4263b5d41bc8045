"""The command `nstd`: its sub-commands, its common options, and its exit codes."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from nstd import __version__
from nstd.errors import NstdError, printable

if TYPE_CHECKING:
    from nstd.documents.config import Config

_F = TypeVar("_F", bound=Callable[..., Any])

EXIT_CODES = {
    0: "done; for `run`, also when jobs failed",
    1: "something that was checked or asked for is wrong",
    2: "the command line is wrong",
    3: "the config is missing or not valid",
    4: "another daemon works on this root",
    5: "every device is down, or the Ray cluster is out of reach",
    6: "nothing may start now: somebody has paused it, or it is outside the hours of `schedule`",
    70: "a bug in nstd",
}
_EXIT_OF = {
    "config_invalid": 3,
    "already_running": 4,
    "cluster_failed": 5,
    "paused": 6,
    "internal_error": 70,
}

NO_DAEMON = "no daemon runs on this root: `nstd run` starts one"
"""What commands say whose jobs wait for one."""
_GC_THRESHOLD = 20_000
"""The number of new objects that starts a garbage collection; Python's default is 700."""

_COMMANDS = {
    "init": "make a root: its folders and a commented config",
    "demo": "make two pictures from drawn samples, from nothing",
    "run": "the daemon",
    "submit": "put a pair into the inbox",
    "recipe": "have every picture that comes into a folder painted",
    "check": "validate sidecars, or say what a folder's recipe would do",
    "status": "what waits, runs, is done and has failed",
    "logs": "the log for people, of all or of one job",
    "gallery": "write the page of all results, and say where it is",
    "expire": "let what is too old go from the outbox",
    "cancel": "end a job that waits or runs",
    "retry": "run a failed, waiting or running job again from its inputs",
    "again": "make a finished job once more, with changes",
    "hold": "keep a job that waits from starting",
    "release": "let a held job start",
    "priority": "change which job that waits is made first",
    "pause": "start no more jobs, for a while or until `resume`",
    "resume": "start jobs again",
    "notify": "send the daemon's notices, as email or to a webhook",
    "backends": "what can make pictures, and what is wrong with the rest",
    "networks": "weights that are installed, and how to install more",
    "doctor": "check this machine",
    "verify": "check all results, the gallery and the work folder",
    "bench": "compare what the engine makes of your pictures",
    "schema": "the JSON Schema of the sidecar, for editors",
    "help": "the manual, page by page",
}


_WITHOUT_CONFIG = {"init", "demo", "help"}


class LazyGroup(click.Group):
    """Imports a command's module only when the command is used, so that `status` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"nstd.cli.{cmd_name}")
        command: click.Command = getattr(module, "command")  # noqa: B009 - typed by the left side
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands without importing their modules, because a shell waits for this."""
        found = [n for n in _COMMANDS if n.startswith(incomplete)] if incomplete[:1] != "-" else []
        options = super().shell_complete(ctx, incomplete) if incomplete[:1] == "-" else []
        return [CompletionItem(name, help=_COMMANDS[name]) for name in found] + options

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from nstd.errors import did_you_mean, nearest

            meant = did_you_mean(nearest(args[0], _COMMANDS))
            raise click.UsageError(error.format_message().rstrip(".") + meant, ctx) from None


config_option = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, readable=False),  # a closed one is told in our words
    help="The config file or its folder; else $NSTD_CONFIG, else ./config.yaml.",
)


def job_argument(*places: str, required: bool = True) -> Callable[[_F], _F]:
    """The argument JOB, which a shell completes with the names of the jobs in `places`."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        from nstd.client.find import known_names
        from nstd.documents.config import find_config, load_config

        contexts = (ctx, ctx.parent) if ctx.parent else (ctx,)
        given = next((path for each in contexts if (path := each.params.get("config"))), None)
        with suppress(NstdError, OSError):  # a completion cannot show errors
            names = known_names(load_config(find_config(given)), places)
            return [name for name in names if name.startswith(incomplete) and name.isprintable()]
        return []

    return click.argument("job", required=required, shell_complete=complete)


def config_or_defaults(given: Path | None) -> Config:
    """The config; or the defaults, if none was given and none exists."""
    from nstd.documents.config import Config, find_config, load_config
    from nstd.errors import ConfigError

    try:
        path = find_config(given)
    except ConfigError:
        if given is not None or os.environ.get("NSTD_CONFIG"):
            raise
        return Config.at(Path())
    return load_config(path)


def config_to_look(given: Path | None) -> Config:
    """The config for a command that only shows what is there.

    If it is not valid, this warns on standard error and uses the folders that it names. Raises
    ConfigError when these cannot be known.
    """
    from nstd.documents.config import find_config, load_config, load_folders
    from nstd.errors import ConfigError

    path = find_config(given)
    try:
        return load_config(path)
    except ConfigError as error:
        config = load_folders(path)
        if config is None:
            raise
        note = "what is there is shown all the same; a daemon that runs keeps its settings"
        _print_error(f"{error.message} [{error.code}]", f"{error.hint}\n      {note}")
        return config


def _epilog() -> str:
    return "\b\nExit codes:\n" + "\n".join(f"  {n:>2}  {text}" for n, text in EXIT_CODES.items())


@click.group(
    cls=LazyGroup, epilog=_epilog(), context_settings={"help_option_names": ["-h", "--help"]}
)
@config_option
@click.version_option(__version__, prog_name="nstd")
@click.pass_context
def app(context: click.Context, config: Path | None) -> None:
    """A watch-folder batch daemon for neural style transfer: drop a pair, get a picture."""
    if config is not None:
        from nstd.documents.config import find_config

        if context.invoked_subcommand not in _WITHOUT_CONFIG:
            find_config(config)  # the command would say that the variable names it
        os.environ["NSTD_CONFIG"] = os.fspath(config)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; every error becomes a message, a hint and an exit code."""
    _collect_less()
    _open_standard_streams()
    try:
        return app(arguments, prog_name="nstd")
    except NstdError as error:
        _print_error(f"{error.message} [{error.code}]", error.hint)
        sys.exit(_EXIT_OF.get(error.code, 1))
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        _print_error(printable(what), "`nstd doctor` looks at folders, disks and rights")
        sys.exit(1)
    except Exception as error:
        _print_error(
            printable(f"a bug: {type(error).__name__}: {error} [internal_error]"),
            f"the traceback is in {_keep_traceback()}; please report it",
        )
        sys.exit(_EXIT_OF["internal_error"])


def _collect_less() -> None:
    """Exclude modules from garbage collection, which saves a third of a short command's time.

    Imports make so many objects that the collector would visit them several times, and once more
    at the end of the process; they are never freed.
    """
    gc.set_threshold(_GC_THRESHOLD)
    atexit.register(gc.freeze)


def _print_error(message: str, hint: str) -> None:
    click.echo(f"nstd: {message}", err=True)
    if hint:
        click.echo(f"      {hint}", err=True)


def _keep_traceback() -> str:
    """Write the traceback of the current exception to a file; returns its path."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="nstd-bug-", suffix=".txt", delete=False, errors="backslashreplace"
    ) as file:
        traceback.print_exc(file=file)
    return file.name


def _open_standard_streams() -> None:
    """Open the standard streams that the caller has closed; otherwise our next files would get
    their descriptors, and printed text would be written into these files."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
