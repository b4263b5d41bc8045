"""Times of day in a zone whose clocks change: on 29 March and 25 October of 2026."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, fold: int = 0) -> float:
    """The seconds since the epoch of a local time; `fold` is 1 for the second of the same."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()
