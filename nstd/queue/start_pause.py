"""Why no waiting job is started now: a person has paused it, or it is outside of the schedule."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from nstd.documents.model import StoredModel, Text, Version
from nstd.documents.schedule import Schedule
from nstd.system.layout import PAUSE


class StartPause(StoredModel):
    """A pause; that of a person is the whole content of `work/pause.json`.

    `until` is in seconds since the epoch; None is until somebody resumes. `start`: a daemon that
    has just been started does not know yet.
    """

    cause: Literal["person", "schedule", "start"]
    since: float
    until: float | None = None
    reason: Text = ""
    schema_version: Version = 1

    def is_over(self, when: float) -> bool:
        """Whether it has ended by itself at `when`."""
        return self.until is not None and when >= self.until

    def describe(self) -> str:
        """Why nothing starts and until when, in words and local time."""
        if self.cause == "start":
            return "the daemon has just been started"
        if self.cause == "schedule":
            return f"outside the hours of `schedule`, until {_said(self.until)}"
        why = f" ({self.reason})" if self.reason else ""
        return f"paused until {_said(self.until)}{why}"


def closed_hours(schedule: Schedule, now: float) -> StartPause | None:
    """The pause of the schedule at `now`; None where jobs may start then."""
    if schedule.is_open(now):
        return None
    return StartPause(cause="schedule", since=now, until=schedule.next_opening(now))


def read_pause(work: Path) -> StartPause | None:
    """The pause that a person asked for; None if there is none. Raises OSError.

    A file that was damaged counts as a pause: somebody wanted one.
    """
    try:
        return StartPause.model_validate_json((work / PAUSE).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        return StartPause(cause="person", since=0.0, reason=f"{work / PAUSE} cannot be read")


def _said(until: float | None) -> str:
    """`18:00`, or with its day where that is not today."""
    if until is None:
        return "`nstd resume`"
    local = time.localtime(until)
    is_today = local[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if is_today else "%a %d %b %H:%M", local)
