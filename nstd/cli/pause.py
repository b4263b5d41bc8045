"""`nstd pause`: no more jobs are started, for a while or until `nstd resume`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from nstd.cli.app import config_option
from nstd.client.ask import ask
from nstd.client.points_in_time import parse_point
from nstd.documents.config import find_config, load_config
from nstd.errors import printable
from nstd.queue.control import ControlRequest
from nstd.system.units import parse_duration


@click.command("pause")
@config_option
@click.option("--until", metavar="TIME", help="Resume by itself then: 18:00, '2026-12-01 08:00'.")
@click.option("--for", "duration", metavar="DURATION", help="The same after a while: 90m, 2h.")
@click.option("--reason", default="", help="For those who look at `nstd status`.")
@click.option("--now", is_flag=True, help="Running jobs are saved, and wait again, too.")
def command(
    config: Path | None, until: str | None, duration: str | None, reason: str, now: bool
) -> None:
    """Start no more jobs until `nstd resume`; those that run go on.

    Sidecars are taken in and checked all the same. The pause survives a restart of the daemon; a
    new pause replaces it.
    """
    settings = load_config(find_config(config))
    end = _end(until, duration)
    request = ControlRequest("pause", until=end, reason=printable(reason), now=now)
    when = ask(settings, request)
    click.echo(f"no job is started{when}: {request.describe().removeprefix('pause: ')}")


def _end(until: str | None, duration: str | None) -> float | None:
    """When the pause ends, in seconds since the epoch. Raises UsageError."""
    now = time.time()
    if until is not None and duration is not None:
        raise click.UsageError("give --until or --for, not both")
    try:
        if until is not None:
            return parse_point(until, now)
        return None if duration is None else now + parse_duration(duration)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
