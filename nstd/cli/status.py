"""`nstd status`: what waits, runs, is done and has failed."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import click

from nstd.cli.app import config_option
from nstd.config import find_config, load_config
from nstd.status import Status, read_status
from nstd.units import format_duration

_BAR = 20


@click.command("status")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--watch", is_flag=True, help="Again every second, until ^C.")
def command(config: Path | None, as_json: bool, watch: bool) -> None:
    """Show what is going on; works from the disk alone, whether the daemon runs or not."""
    settings = load_config(find_config(config))
    while True:
        status = read_status(settings)
        text = json.dumps(asdict(status), indent=2) if as_json else render(status)
        if watch and not as_json:
            click.clear()
        click.echo(text)
        if not watch:
            return
        time.sleep(1)


def render(status: Status) -> str:
    """The status for a person, in lines that fit a terminal."""
    who = f"running, pid {status.pid}" if status.pid else "not running"
    lines = [f"nstd {status.root}: daemon {who}"]
    if status.paused:
        lines.append(f"  intake is paused: {status.paused}")
    for device in status.devices:
        lines.append(f"  device {device['device']}: {device['state']}, {device['slots']} slots")
    lines.append(
        f"  {len(status.inbox)} in the inbox, {len(status.waiting)} waiting, "
        f"{len(status.running)} running, {status.done} done, {status.failed} failed"
    )
    lines += [_running(entry) for entry in status.running]
    lines += [f"  waiting  {entry['job']}  {entry['name']}" for entry in status.waiting[:10]]
    for entry in status.recent:
        what = entry.get("message", "").splitlines()[:1]
        lines.append(f"  {entry['state']:8} {entry['job']}  {' '.join([entry['output'], *what])}")
    return "\n".join(lines)


def _running(entry: dict[str, object]) -> str:
    fraction = float(entry.get("fraction", 0.0))  # type: ignore[arg-type]
    bar = "#" * round(fraction * _BAR)
    line = f"  running  {entry['job']}  {entry['name']}  {entry['slot']} [{bar:<{_BAR}}]"
    losses = entry.get("losses")
    if "step" in entry:
        line += f" {entry['step']}/{entry['steps']}"
    if isinstance(losses, dict) and "total" in losses:
        line += f" loss {losses['total']:g}"
    eta = entry.get("eta")
    return line + (f" {format_duration(round(float(eta)))} left" if eta is not None else "")  # type: ignore[arg-type]
