"""Points in time as people write them in commands: `18:00`, `2026-12-01 08:00`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

_HOUR = "%H:%M"
_FORMS = (_HOUR, "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d")


def parse_point(text: str, now: float) -> float:
    """The seconds since the epoch of a local time; an hour alone is the next one after `now`.

    Raises ValueError for text that is no time, and for a time that has passed.
    """
    for form in _FORMS:
        with suppress(ValueError):
            found = datetime.strptime(text.strip(), form)
            break
    else:
        said = f"not a time: {text[:40]!r}; write it like 18:00 or '2026-12-01 08:00'"
        raise ValueError(said)
    places = [found]
    if form == _HOUR:
        today = datetime.combine(datetime.fromtimestamp(now).date(), found.time())
        places = [today, today + timedelta(days=1)]
    later = [moment for place in places for moment in _moments(place) if moment > now]
    if not later:
        raise ValueError(f"{text} has passed")
    return min(later)


def _moments(local: datetime) -> Iterator[float]:
    """When a clock on the wall shows `local`: twice in the night in which it is set back.

    A time that is skipped counts from the hour before.
    """
    yield local.timestamp()
    second = local.replace(fold=1).timestamp()
    if datetime.fromtimestamp(second) == local:
        yield second
