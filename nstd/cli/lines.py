"""The events that matter to a person who looks on, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from nstd.errors import printable
from nstd.logs.text import TextRenderer

BEGUN = {"job.started": "begun"}
"""What a bar shows where there are bars."""
ENDS = {
    "batch.finished": "done",
    "daemon.started": "nstd",
    "daemon.stopped": "nstd",
    "device.up": "again",
    "inbox.back": "again",
    "intake.resumed": "again",
    "job.failed": "ended",
    "job.finished": "done",
}
_TROUBLE = {"warning": ("note", "yellow"), "error": ("failed", "red")}


class Lines:
    """Picks the events that matter, and says each in one line, with what belongs below it."""

    def __init__(self, told: Mapping[str, str]) -> None:
        """`told` are events with the word that begins their line; trouble is always told."""
        self._told, self._words = told, TextRenderer(colors=False)

    def of(self, line: Mapping[str, Any]) -> str:
        """What to print of a line of the log; nothing for most."""
        self._words.learn(line)
        usual = (self._told.get(line["event"], ""), "green")
        mark, color = _TROUBLE.get(line["level"], usual)
        if not mark:
            return ""
        return f"{click.style(f'{mark:6}', fg=color)}  {self._say(line)}"

    def _say(self, line: Mapping[str, Any]) -> str:
        if line["event"] == "daemon.started":
            return f"works in {printable(line['root'])}; Ctrl-C ends it, and saves what runs"
        if line["event"] == "daemon.stopped":
            counts = [f"{line[name]} {name}" for name in ("failed", "cancelled") if line[name]]
            return ", ".join(
                [f"ended: {line['finished']} done", *counts, f"{line['waiting']} waiting"]
            )
        return self._words.words(line)
