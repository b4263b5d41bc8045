"""`nstd logs`: the structured log for people."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import click

from nstd.cli.app import config_option, job_argument
from nstd.cli.logtext import Renderer
from nstd.config import Config, find_config, load_config
from nstd.find import SHORTEST, find_job
from nstd.log import FILE
from nstd.logreader import LogReader
from nstd.outbox import LOGS

LEVELS = ("debug", "info", "warning", "error")
_POLL = 0.5

Line = dict[str, Any]


@click.command("logs")
@config_option
@job_argument("work", "done", "failed", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until ^C.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="The least to show.")
@click.option("-n", "--lines", type=click.IntRange(min=0), help="Only the last so many, at first.")
def command(
    config: Path | None, job: str | None, follow: bool, level: str, lines: int | None
) -> None:
    """Show the log, of all or of JOB, an id or a name; rotated files too, oldest first."""
    settings = load_config(find_config(config))
    reader = LogReader(settings.folder("outbox") / LOGS, FILE)
    chosen = _Chosen(job, LEVELS.index(level))
    show = _shower()
    old: Iterable[Line] = filter(chosen, reader.read())
    for line in old if lines is None else deque(old, maxlen=lines):
        show(line)
    if job is not None and not chosen.ids and not follow:
        for line in filter(chosen, _own_log(settings, job)):
            show(line)
    while follow:
        time.sleep(_POLL)
        for line in filter(chosen, reader.read()):
            show(line)


class _Chosen:
    """Whether a line is to be shown; learns the ids of the job that is meant from its lines."""

    def __init__(self, wanted: str | None, level: int) -> None:
        self._wanted, self._level = wanted, level
        self.ids: set[str] = set()

    def __call__(self, line: Line) -> bool:
        if self._wanted is not None and not self._is_meant(line):
            return False
        level = line["level"]
        return level not in LEVELS or LEVELS.index(level) >= self._level

    def _is_meant(self, line: Line) -> bool:
        job, wanted = line.get("job"), self._wanted or ""
        if not isinstance(job, str):
            return False
        begins = len(wanted) >= SHORTEST and job.startswith(wanted)
        if begins or wanted == job or wanted in _names(line):
            self.ids.add(job)
        return job in self.ids


def _names(line: Line) -> Iterator[str]:
    """What a person may call the job of a line."""
    for key in ("name", "sidecar", "output"):
        if isinstance(name := line.get(key), str):
            path = PurePosixPath(name)
            yield from (name, path.name)
            if key == "sidecar":
                yield from (path.stem, str(path.with_suffix("")) if path.name else "")


def _own_log(config: Config, job: str) -> Iterator[Line]:
    """What the job's own log says: the one of all has been rotated since.

    Raises SpoolError `not_found` when nobody knows such a job.
    """
    target = find_job(config, job, ("work", "failed", "done", "inbox"))
    outbox = config.folder("outbox") / target.name
    folder, name = {
        "work": (config.folder("work") / target.name, "job.log"),
        "failed": (outbox, "job.log"),
        "done": (outbox, f"{outbox.name}.log"),
        "inbox": (outbox, ""),
    }[target.where]
    if not name:
        click.echo(f"{target.name} is in the inbox, and not yet a job", err=True)
        return iter(())
    return LogReader(folder, name).read()


def _shower() -> Callable[[Line], None]:
    renderer = Renderer()
    color = False if os.environ.get("NO_COLOR") else None  # None: where it is a terminal
    return lambda line: click.echo(renderer.render(line), color=color)
