"""`nstd logs`: shows the structured log as text."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import click

from nstd.cli.app import config_option, config_to_look, job_argument
from nstd.client.find import SHORTEST, Target, find_job
from nstd.client.readable import check_log_readable
from nstd.documents.config import Config
from nstd.errors import StoreError, printable
from nstd.logs.events import LEVELS
from nstd.logs.reader import LogReader
from nstd.logs.text import Line, TextRenderer
from nstd.outbox.results import read_reason
from nstd.system.layout import LOG, LOGS, REASON

_FREQUENT = {"job.progress"}
"""Events with so many lines that they would hide the others."""
_POLL = 0.5
_PLACES = ("work", "failed", "done", "inbox")


@click.command("logs")
@config_option
@job_argument("batch", "failed batch", "work", "done", "failed", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until ^C.")
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="info",
    help="The least to show; with debug also how far each job is, second by second.",
)
@click.option("-n", "--lines", type=click.IntRange(min=0), help="Only the last so many, at first.")
def command(
    config: Path | None, job: str | None, follow: bool, level: str, lines: int | None
) -> None:
    """Show the log, of all or of JOB, an id or a name; rotated files too, oldest first.

    JOB may be a batch: then of all of its jobs.
    """
    settings = config_to_look(config)
    check_log_readable(settings)
    reader = LogReader(settings.folder("outbox") / LOGS, LOG)
    target = None if job is None else _find(settings, job)
    wanted = (target.id if isinstance(target, Target) else "") or job
    chosen = _LineFilter(wanted, LEVELS.index(level))
    renderer = TextRenderer(repeat_hints=False)
    show = _printer(renderer)
    old: Iterable[Line] = filter(chosen, map(renderer.note_name, reader.read()))
    for line in old if lines is None else deque(old, maxlen=lines):
        show(line)
    if target is not None and not follow:
        if not chosen.ids:
            for line in filter(chosen, _own_log(settings, target)):
                show(line)
        _show_detail(settings, target)
    while follow:
        time.sleep(_POLL)
        for line in filter(chosen, reader.read()):
            show(line)


def _find(config: Config, wanted: str) -> Target | StoreError:
    """The only job that is called `wanted`, or why there is none: the log may have it all the same.

    A result has another name than its job, if that was taken.
    """
    try:
        return find_job(config, wanted, _PLACES)
    except StoreError as error:  # none, or several
        return error


class _LineFilter:
    """Selects lines; remembers the ids of the wanted job or batch."""

    def __init__(self, wanted: str | None, level: int) -> None:
        self._wanted, self._level = wanted, level
        self.ids: set[str] = set()

    def __call__(self, line: Line) -> bool:
        if self._wanted is not None and not self._is_meant(line):
            return False
        level = "debug" if line["event"] in _FREQUENT else line["level"]
        return level not in LEVELS or LEVELS.index(level) >= self._level

    def _is_meant(self, line: Line) -> bool:
        wanted = self._wanted or ""
        about = [line[key] for key in ("job", "batch") if isinstance(line.get(key), str)]
        if not self.ids.isdisjoint(about):
            self.ids.update(about[:1])
            return True
        begins = len(wanted) >= SHORTEST and any(each.startswith(wanted) for each in about)
        if about and (begins or wanted in about or wanted in _names(line)):
            self.ids.add(about[0])
            return True
        return False


def _names(line: Line) -> Iterator[str]:
    """The names and ids by which a user may mean the job of a line."""
    for key in ("name", "sidecar", "output"):
        if isinstance(name := line.get(key), str):
            path = PurePosixPath(name)
            yield from (name, path.name)
            if key == "sidecar":
                yield from (path.stem, str(path.with_suffix("")) if path.name else "")


def _own_log(config: Config, target: Target | StoreError) -> Iterator[Line]:
    """The lines of the job's own log, when the log file no longer has them.

    Raises StoreError `not_found` when there is no such job.
    """
    if isinstance(target, StoreError):
        raise target
    outbox = config.folder("outbox") / target.name
    folder, name = {
        "work": (config.folder("work") / target.name, "job.log"),
        "failed": (outbox, f"{outbox.name}.log"),
        "done": (outbox, f"{outbox.name}.log"),
        "inbox": (outbox, ""),
    }[target.where]
    if target.where == "failed" and not (folder / name).exists():
        name = "job.log"  # as earlier versions called it
    if not name:
        click.echo(f"{target.name} is in the inbox, and not yet a job", err=True)
        return iter(())
    return LogReader(folder, name).read()


def _show_detail(config: Config, target: Target | StoreError) -> None:
    """Print the traceback, or the last output of the worker, of a failed job that has it."""
    if isinstance(target, StoreError) or target.where != "failed":
        return
    reason = read_reason(config.folder("outbox") / target.name / REASON)
    if reason is not None and reason.detail:
        click.echo(f"\n{target.name}: {REASON} keeps this:")
        for line in reason.detail.splitlines():
            click.echo(f"  {printable(line)}")


def _printer(renderer: TextRenderer) -> Callable[[Line], None]:
    color = False if os.environ.get("NO_COLOR") else None  # None: colours on a terminal
    return lambda line: click.echo(renderer.render(line), color=color)
