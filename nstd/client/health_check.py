"""Whether the daemon is alive, for what starts it anew: its lock and its signs of life."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nstd.errors import printable
from nstd.queue.health import BEAT, Health, read_health
from nstd.system.layout import HEALTH, LOCK
from nstd.system.lock import holder
from nstd.system.units import counted, format_duration

LONGEST = BEAT + 60.0
"""Seconds without a sign of life that count as a hang; 60 is also what the systemd unit grants."""


@dataclass(frozen=True)
class Life:
    """Whether the daemon is alive, and a line that says why."""

    is_alive: bool
    text: str


def check_life(work: Path) -> Life:
    """Look at the lock and at the health file in the folder `work`.

    Only what a new start may help against counts as dead: no daemon, or one that hangs. Devices
    that are down, and an inbox that cannot be read, are told.
    """
    if holder(work / LOCK) is None:
        return Life(False, "no daemon runs on this root")
    try:
        age = time.time() - (work / HEALTH).stat().st_mtime
    except OSError:
        return Life(False, "the daemon has written no health file yet")
    since = f"its last sign of life was {format_duration(max(0, round(age)))} ago"
    if age > LONGEST:
        return Life(False, f"the daemon hangs: {since}")
    health = read_health(work / HEALTH)
    problems = list(_problems(health)) if health is not None else []
    return Life(True, printable("; ".join([f"the daemon is alive: {since}", *problems])))


def _problems(health: Health) -> Iterator[str]:
    """What a person should look at, and a new start would not change."""
    down = [device.device for device in health.devices if device.state != "up"]
    if down:
        yield f"{counted(len(down), 'device')} down: {', '.join(down)}"
    if health.inbox_lost:
        yield "the inbox cannot be read"
    if health.paused:
        yield f"intake is paused: {health.paused}"
