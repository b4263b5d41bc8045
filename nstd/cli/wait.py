"""The output of `nstd submit --wait`: a bar for each job, then the path of its picture."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.progress import TaskID

from nstd.cli.bars import STARTING, describe, make_progress
from nstd.client.follow import BatchLook, Followed, Look, follow
from nstd.client.submit import Submitted
from nstd.documents.config import Config
from nstd.errors import printable
from nstd.outbox.record import Reason
from nstd.system.layout import LOCK
from nstd.system.lock import holder

_POLL = 0.3
_EVERY = 5.0
"""Seconds between two lines about a job where no bars can be drawn."""
_NOTES = {
    "inbox": "in the inbox",
    "waiting": "waits for a device",
    "finished": "done",
}


def wait(config: Config, submitted: Sequence[Submitted]) -> bool:
    """Follow the jobs until all have ended; whether all have made their pictures.

    The paths of the pictures go to standard output, one per line; the rest to standard error.
    """
    if holder(config.folder("work") / LOCK) is None:
        click.echo("no daemon runs on this root: `nstd run` starts one; waiting", err=True)
    ends: list[tuple[str, Look]] = []
    lines = _Lines()
    with make_progress(visible=True) as progress:
        tasks: dict[TaskID, Followed] = {
            progress.add_task(printable(each.name), total=1, note=""): follow(config, each)
            for each in submitted
        }
        while tasks:
            for task, followed in list(tasks.items()):
                look = followed.look()
                done = 1 if look.is_over else look.fraction
                progress.update(task, completed=done, note=_note(look))
                if progress.disable:
                    lines.tell(followed.name, look)
                if look.is_over:
                    del tasks[task]
                    ends.append((followed.name, look))
            if tasks:
                time.sleep(_POLL)
    told = [_print_end(name, look) for name, look in ends]
    return all(told)


class _Lines:
    """Where no bars can be drawn, such as in a pipe: a line for each job every few seconds."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, str]] = {}  # when, and how the job stood then

    def tell(self, name: str, look: Look) -> None:
        """Print how the job is, if it is time or its state is another one."""
        now = time.monotonic()
        when, state = self._told.get(name, (-math.inf, ""))
        if look.state == state and now - when < _EVERY:
            return
        self._told[name] = now, look.state
        share = f"{look.fraction:4.0%}  " if look.state == "running" else ""
        click.echo(printable(f"{name}  {share}{_note(look)}"), err=True)


def _note(look: Look) -> str:
    if isinstance(look, BatchLook) and look.batch is not None:
        batch = look.batch
        failed = f", {batch.count('failed')} failed" if batch.count("failed") else ""
        return f"{batch.count('finished')} of {len(batch.members)} done{failed}"
    if look.state == "failed":
        return look.end.code if isinstance(look.end, Reason) else "failed"
    if look.state != "running":
        return _NOTES[look.state]
    told = look.progress
    return STARTING if told is None else describe(told.scale, told.losses, told.eta)


def _print_end(name: str, look: Look) -> bool:
    if isinstance(look, BatchLook):
        return _print_batch(look)
    if look.state == "finished":
        click.echo(printable(look.picture))
        return True
    _print_reason(name, look.end if isinstance(look.end, Reason) else Reason(), look.path)
    return False


def _print_batch(look: BatchLook) -> bool:
    """Print the pictures to standard output, and the failures and the sheet to standard error."""
    for picture in look.pictures:
        click.echo(printable(picture))
    for path, reason in look.reasons:
        _print_reason(reason.name, reason, path)
    if look.batch is not None and look.batch.sheet:
        sheet = look.outbox / look.batch.place / look.batch.sheet
        click.echo(f"contact sheet: {printable(sheet)}", err=True)
    return not look.reasons


def _print_reason(name: str, reason: Reason, path: Path) -> None:
    click.echo(printable(f"nstd: {name}: {reason.message} [{reason.code}]"), err=True)
    if reason.hint:
        click.echo(f"      {printable(reason.hint)}", err=True)
    click.echo(f"      {printable(path)}", err=True)
