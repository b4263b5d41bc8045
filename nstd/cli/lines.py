"""The events that matter to a person who looks on, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from nstd.errors import printable
from nstd.logs.text import TextRenderer

STARTED_EVENTS = {"job.started": "begun"}
"""What a bar shows where there are bars."""
SHOWN_EVENTS = {
    "batch.finished": "done",
    "daemon.started": "nstd",
    "daemon.stopped": "nstd",
    "device.up": "again",
    "inbox.back": "again",
    "intake.resumed": "again",
    "job.finished": "done",
}
_MARK_OF_LEVEL = {"warning": ("note", "yellow"), "error": ("failed", "red")}


class Lines:
    """Picks the events that matter, and says each in one line, with what belongs below it."""

    def __init__(self, marks: Mapping[str, str]) -> None:
        """`marks` are events with the word that begins their line; trouble is always told."""
        self._marks, self._renderer = marks, TextRenderer(colors=False)

    def of(self, line: Mapping[str, Any]) -> str:
        """What to print of a line of the log; nothing for most."""
        self._renderer.note_name(line)
        usual = (self._marks.get(line["event"], ""), "green")
        mark, color = _MARK_OF_LEVEL.get(line["level"], usual)
        if not mark:
            return ""
        return f"{click.style(f'{mark:6}', fg=color)}  {self._message(line)}"

    def _message(self, line: Mapping[str, Any]) -> str:
        if line["event"] == "daemon.started":
            return f"works in {printable(line['root'])}; Ctrl-C ends it, and saves what runs"
        if line["event"] == "daemon.stopped":
            return "ended: {finished} done, {failed} failed, {waiting} waiting".format(**line)
        return self._renderer.message(line)
