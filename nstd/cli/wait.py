"""The output of `nstd submit --wait`: a bar for each job, then the path of its picture."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.progress import TaskID

from nstd.cli.app import NO_DAEMON
from nstd.cli.bars import STARTING, describe, make_progress
from nstd.client.follow import Followed, FollowedBatchState, FollowedState, follow
from nstd.client.submit import Submitted
from nstd.documents.config import Config
from nstd.errors import printable
from nstd.outbox.record import Reason
from nstd.queue.health import read_health
from nstd.system.layout import HEALTH, LOCK
from nstd.system.lock import holder

_POLL = 0.3
_EVERY = 5.0
"""Seconds between two lines about a job where no bars can be drawn."""
_NOTES = {
    "inbox": "in the inbox",
    "waiting": "waits for a device",
    "held": "held: `nstd release` lets it start",
    "finished": "done",
}


def wait(config: Config, submitted: Sequence[Submitted]) -> bool:
    """Follow the jobs until all have ended; whether all have made their pictures.

    The paths of the pictures go to standard output, one per line; the rest to standard error.
    """
    watch = _DaemonWatch(config.folder("work"))
    ends: list[tuple[str, FollowedState]] = []
    lines = _Lines()
    with make_progress(visible=True) as progress:
        tasks: dict[TaskID, Followed] = {
            progress.add_task(printable(each.name), total=1, note=""): follow(config, each)
            for each in submitted
        }
        while tasks:
            watch.look()
            for task, followed in list(tasks.items()):
                state = followed.read_state()
                done = 1 if state.is_over else state.fraction
                progress.update(task, completed=done, note=_note(state))
                if progress.disable:
                    lines.print(followed.name, state)
                if state.is_over:
                    del tasks[task]
                    ends.append((followed.name, state))
            if tasks:
                time.sleep(_POLL)
    results = [_print_end(name, state) for name, state in ends]
    return all(results)


class _DaemonWatch:
    """Says that no daemon runs, or that it starts no job, each time that this changes."""

    def __init__(self, work: Path) -> None:
        self._work, self._said = work, ""

    def look(self) -> None:
        """Look whether there is one, and whether it starts jobs."""
        before, self._said = self._said, self._why()
        if self._said and self._said != before:
            click.echo(f"{self._said}; waiting", err=True)

    def _why(self) -> str:
        if holder(self._work / LOCK) is None:
            return NO_DAEMON
        health = read_health(self._work / HEALTH)
        pause = health.start_pause if health else None
        return f"no job is started: {pause.describe()}" if pause else ""


class _Lines:
    """Where no bars can be drawn, such as in a pipe: a line for each job every few seconds."""

    def __init__(self) -> None:
        self._printed: dict[str, tuple[float, str]] = {}  # when, and the state at that time

    def print(self, name: str, state: FollowedState) -> None:
        """Print the state of the job, if it is time or the state has changed."""
        now = time.monotonic()
        when, before = self._printed.get(name, (-math.inf, ""))
        if state.state == before and now - when < _EVERY:
            return
        self._printed[name] = now, state.state
        share = f"{state.fraction:4.0%}  " if state.state == "running" else ""
        click.echo(printable(f"{name}  {share}{_note(state)}"), err=True)


def _note(state: FollowedState) -> str:
    if isinstance(state, FollowedBatchState) and state.batch is not None:
        batch = state.batch
        failed = f", {batch.count('failed')} failed" if batch.count("failed") else ""
        return f"{batch.count('finished')} of {len(batch.members)} done{failed}"
    if state.state == "failed":
        return state.end.code if isinstance(state.end, Reason) else "failed"
    if state.state != "running":
        return _NOTES[state.state]
    if (progress := state.progress) is None:
        return STARTING
    where = f"scale {progress.scale}" if progress.frame is None else progress.place
    return describe(where, progress.losses, progress.eta)


def _print_end(name: str, state: FollowedState) -> bool:
    if isinstance(state, FollowedBatchState):
        return _print_batch(state)
    if state.state == "finished":
        click.echo(printable(state.picture))
        return True
    _print_reason(name, state.end if isinstance(state.end, Reason) else Reason(), state.path)
    return False


def _print_batch(state: FollowedBatchState) -> bool:
    """Print the pictures to standard output, and the failures and the sheet to standard error."""
    for picture in state.pictures:
        click.echo(printable(picture))
    for path, reason in state.reasons:
        _print_reason(reason.name, reason, path)
    if state.batch is not None and state.batch.sheet:
        sheet = state.outbox / state.batch.place / state.batch.sheet
        click.echo(f"contact sheet: {printable(sheet)}", err=True)
    return not state.reasons


def _print_reason(name: str, reason: Reason, path: Path) -> None:
    click.echo(printable(f"nstd: {name}: {reason.message} [{reason.code}]"), err=True)
    if reason.hint:
        click.echo(f"      {printable(reason.hint)}", err=True)
    click.echo(f"      {printable(path)}", err=True)
