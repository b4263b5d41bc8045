"""The events that are shown to a person at a terminal, one line each."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from nstd.errors import printable
from nstd.logs.text import TextRenderer

STARTED_EVENTS = {"job.started": "begun"}
"""Events that a bar shows, where bars can be drawn."""
PACED_EVENTS = {"job.progress": "works"}
"""Events of which there are so many that one of each job is shown every `PACE` seconds."""
PACE = 10.0
SHOWN_EVENTS = {
    "batch.finished": "done",
    "daemon.started": "nstd",
    "daemon.stopped": "nstd",
    "device.up": "again",
    "inbox.back": "again",
    "intake.resumed": "again",
    "job.failed": "ended",
    "job.finished": "done",
    "starts.paused": "pause",
    "starts.resumed": "again",
}
_MARK_OF_LEVEL = {"warning": ("note", "yellow"), "error": ("failed", "red")}


class Lines:
    """Selects events, and renders each as one line, with further lines below it if needed."""

    def __init__(self, marks: Mapping[str, str]) -> None:
        """`marks` has the events that are shown, and the word that begins the line of each.

        Warnings and errors are always shown.
        """
        self._marks, self._renderer = marks, TextRenderer(colors=False)
        self._shown: dict[str, float] = {}  # when each job's progress was shown last

    def of(self, line: Mapping[str, Any]) -> str:
        """The text for a line of the log; an empty string if the event is not shown."""
        self._renderer.note_name(line)
        usual = (self._marks.get(line["event"], ""), "green")
        mark, color = _MARK_OF_LEVEL.get(line["level"], usual)
        if not mark or (line["event"] in PACED_EVENTS and not self._is_due(line["job"])):
            return ""
        return f"{click.style(f'{mark:6}', fg=color)}  {self._message(line)}"

    def _is_due(self, job: str) -> bool:
        now = time.monotonic()
        is_due = now - self._shown.setdefault(job, now) >= PACE
        if is_due:
            self._shown[job] = now
        return is_due

    def _message(self, line: Mapping[str, Any]) -> str:
        if line["event"] == "daemon.started":
            return f"works in {printable(line['root'])}; Ctrl-C ends it, and saves what runs"
        if line["event"] == "daemon.stopped":
            counts = [f"{line[name]} {name}" for name in ("failed", "cancelled") if line[name]]
            return ", ".join(
                [f"ended: {line['finished']} done", *counts, f"{line['waiting']} waiting"]
            )
        return self._renderer.message(line)
