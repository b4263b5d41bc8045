"""A progress bar per running job, drawn from the events of the log."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from nstd.cli.lines import Lines
from nstd.logs.console import STDERR
from nstd.system.units import format_duration

_SHOWN = 12
_WAITING = 2000  # events that may wait to be drawn; more are dropped
_PATIENCE = 2.0  # seconds
STARTING = "starting: torch takes some seconds"


def on_terminal() -> bool:
    """Whether standard error is a terminal that can draw bars."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class JobEnding(NamedTuple):
    """A job that has ended: its folder, relative to the outbox, and whether it failed."""

    output: str
    words: str
    failed: bool


class Bars:
    """Follows a daemon in this process; shows bars if `visible`, and keeps the ended jobs.

    A separate thread draws, so that a terminal that is stopped by Ctrl-S does not stop the daemon.
    """

    def __init__(self, *, visible: bool, lines: Lines | None = None, keep: bool = True) -> None:
        """`lines` are printed above the bars; without `keep`, bars of ended jobs are removed."""
        # a separate stream: a thread that blocks in `sys.stderr` would block the process's end
        self._stream = os.fdopen(os.dup(STDERR), "w", errors="backslashreplace")
        self._progress = make_progress(visible=visible, stream=self._stream)
        self._lines, self._keep = lines, keep
        self._tasks: dict[str, TaskID] = {}
        self._unlisten: Callable[[], None] = lambda: None
        self._events: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="bars", daemon=True)
        self.endings: list[JobEnding] = []

    def __enter__(self) -> Self:
        from nstd.logs.log import listen  # not needed by `nstd submit --wait`

        with suppress(RuntimeError):  # no thread to be had: nothing is drawn, and all is made
            self._thread.start()
        self._unlisten = listen(self._on_event)
        return self

    def __exit__(self, *_: object) -> None:
        self._unlisten()
        if self._thread.ident is None:
            return
        with suppress(queue.Full):
            self._events.put(None, timeout=_PATIENCE)
            self._thread.join(_PATIENCE)

    def _on_event(self, event: str, line: dict[str, Any]) -> None:
        if event == "job.finished":
            seconds = format_duration(round(line["seconds"]["total"]))
            size = f"{line['width']}x{line['height']}"
            frames = f"{line['frames']} frames of " if "frames" in line else ""
            words = f"{frames}{size} in {seconds}"
            self.endings.append(JobEnding(line["output"], words, failed=False))
        elif event == "job.failed":
            words = f"{line['code']}: {line['message']}"
            self.endings.append(JobEnding(line["output"], words, failed=True))
        with suppress(queue.Full):
            self._events.put_nowait((event, line))

    def _work(self) -> None:
        """Draw the events until the end of the queue, or until the terminal is closed."""
        with suppress(OSError, RuntimeError), self._stream, self._progress:
            while (item := self._events.get()) is not None:
                event, line = item
                self._draw(event, line)
                if self._lines is not None and (text := self._lines.of(line)):
                    self._progress.console.print(Text.from_ansi(text), soft_wrap=True)

    def _draw(self, event: str, line: dict[str, Any]) -> None:
        if event == "job.started":
            if line["job"] not in self._tasks:
                self._tasks[line["job"]] = self._progress.add_task(line["name"], total=1, note="")
                self._make_room()
            self._update(line, 0, STARTING)
        elif event == "job.progress":
            self._update(
                line, line["fraction"], describe(_where(line), line["losses"], line["eta"])
            )
        elif event == "job.finished":
            self._end(line, "done")
        elif event == "job.failed":
            self._end(line, line["code"])

    def _end(self, line: dict[str, Any], note: str) -> None:
        self._update(line, 1, note)
        if not self._keep and (task := self._tasks.pop(line["job"], None)) is not None:
            self._progress.remove_task(task)

    def _make_room(self) -> None:
        """Hide the oldest complete bar; otherwise a terminal would cut off the running ones
        below."""
        shown = [task for task in self._progress.tasks if task.visible]
        full = [task for task in shown if task.finished]
        if len(shown) > _SHOWN and full:
            self._progress.update(full[0].id, visible=False)

    def _update(self, line: dict[str, Any], fraction: float, note: str) -> None:
        if line["job"] in self._tasks:
            self._progress.update(self._tasks[line["job"]], completed=fraction, note=note)


def make_progress(*, visible: bool, stream: TextIO | None = None) -> Progress:
    """Bars on `stream`, by default standard error; nothing if that is not a terminal.

    The columns have fixed widths, so that they do not move when the text beside a bar changes.
    """
    console = Console(file=stream or sys.stderr, highlight=False)
    bar = max(4, min(40, console.width - 72))
    room = max(20, console.width - bar - 16)  # beside the percentage and the time
    words = min(40, room * 5 // 8)
    name = Column(no_wrap=True, overflow="ellipsis", width=min(28, room - words))
    note = Column(no_wrap=True, overflow="ellipsis", width=words)
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(bar_width=bar),
        TextColumn("{task.percentage:>3.0f}%", markup=False),
        TextColumn("{task.fields[note]}", markup=False, table_column=note),
        TimeElapsedColumn(),
        console=console,
        disable=not (visible and console.is_terminal),
    )


def _where(line: Mapping[str, Any]) -> str:
    """The frame of a film, or the scale of a picture, that is being worked on."""
    return f"frame {line['frame']}" if "frame" in line else f"scale {line['scale']}"


def describe(where: str, losses: Mapping[str, float], eta: float | None) -> str:
    """The text beside the bar of a running job; `eta` is in seconds."""
    words = [where]
    if (total := losses.get("total")) is not None:
        words.append(f"loss {total:.3g}")
    if eta is not None:
        words.append(f"{format_duration(round(eta))} left")
    return "  ".join(words)
