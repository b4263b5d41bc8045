"""What befalls the daemon, and when: drawn from a seed, so that a storm can be had again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Blow(StrEnum):
    """What may happen to a service."""

    KILL_DAEMON = "kill daemon"  # -9
    KILL_WORKERS = "kill workers"  # -9, every one that there is
    TERM = "TERM"
    TWO_TERMS = "two TERMs"
    HUP = "HUP"
    BAD_HUP = "HUP, bad config"
    FILL_SPACE = "disk full"
    FILL_INODES = "disk out of inodes"
    INBOX_AWAY = "inbox away"  # unmounted, and back with all that was in it
    INBOX_GONE = "inbox gone"  # deleted, and made again
    # what an operator does meanwhile
    HOLD = "hold"
    HOLD_FOLDER = "hold folder"
    RELEASE = "release"
    PRIORITY = "priority"
    PAUSE = "pause"
    CLOSED_HOURS = "closed hours"  # of `schedule`
    AGAIN = "again"


OFTEN = {
    Blow.KILL_DAEMON: 40,
    Blow.KILL_WORKERS: 30,
    Blow.HOLD: 8,
    Blow.RELEASE: 8,
    Blow.PRIORITY: 5,
    Blow.PAUSE: 4,
    Blow.AGAIN: 6,
}
WEIGHTS = dict.fromkeys(Blow, 2) | OFTEN
DISKS = ("work", "outbox")
AIMS = ("", "", "inbox/.nstd", "work/.new", "outbox/.staging")
"""Folders that hold something only in the middle of a step; most kills at random would miss it."""


@dataclass(frozen=True)
class Event:
    """One blow, `wait` seconds after the one before.

    `lasting` is how long a state such as a full disk is left, `disk` which one it is, and
    `deadly` whether the daemon is killed in the middle of it. A kill with an `aim` waits for a
    moment until there is something in that folder. `pick`, from 0 to 1, chooses a job or a value.
    """

    wait: float
    blow: Blow
    lasting: float
    disk: str
    deadly: bool
    aim: str
    pick: float


def schedule(seed: int) -> Iterator[Event]:
    """Blows without end, the same for the same seed.

    Most come soon: many daemons die while they start or recover.
    """
    draw = random.Random(f"schedule {seed}")
    blows, weights = list(WEIGHTS), list(WEIGHTS.values())
    while True:
        yield Event(
            wait=min(draw.expovariate(2.0), 3.0),
            blow=draw.choices(blows, weights)[0],
            lasting=draw.uniform(0.1, 1.5),
            disk=draw.choice(DISKS),
            deadly=draw.random() < 0.4,
            aim=draw.choice(AIMS),
            pick=draw.random(),
        )
