"""A progress bar per running job, drawn from the events of the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from nstd.system.units import format_duration

_SHOWN = 12
STARTING = "starting: torch takes some seconds"


class FollowedEnd(NamedTuple):
    """A job that has ended: its folder, relative to the outbox, and whether it failed."""

    output: str
    words: str
    failed: bool


class Bars:
    """Follows a daemon in this process; shows bars if `visible`, and keeps a list of ended jobs."""

    def __init__(self, *, visible: bool) -> None:
        self._progress = make_progress(visible=visible)
        self._tasks: dict[str, TaskID] = {}
        self._unlisten: Callable[[], None] = lambda: None
        self.endings: list[FollowedEnd] = []

    def __enter__(self) -> Self:
        from nstd.logs.log import listen  # not needed by `nstd submit --wait`

        self._progress.start()
        self._unlisten = listen(self._on_event)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._unlisten()
        self._progress.stop()

    def _on_event(self, event: str, line: dict[str, Any]) -> None:
        if event == "job.started":
            if line["job"] not in self._tasks:
                self._tasks[line["job"]] = self._progress.add_task(line["name"], total=1, note="")
                self._make_room()
            self._update(line, 0, STARTING)
        elif event == "job.progress":
            self._update(
                line, line["fraction"], describe(line["scale"], line["losses"], line["eta"])
            )
        elif event == "job.finished":
            self._update(line, 1, "done")
            seconds = format_duration(round(line["seconds"]["total"]))
            size = f"{line['width']}x{line['height']}"
            self.endings.append(FollowedEnd(line["output"], f"{size} in {seconds}", failed=False))
        elif event == "job.failed":
            self._update(line, 1, line["code"])
            words = f"{line['code']}: {line['message']}"
            self.endings.append(FollowedEnd(line["output"], words, failed=True))

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


def make_progress(*, visible: bool) -> Progress:
    """Bars on standard error; nothing when that is not a terminal.

    The columns do not move, whatever text is shown beside a bar.
    """
    console = Console(stderr=True)
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


def describe(scale: str, losses: Mapping[str, float], eta: float | None) -> str:
    """The text beside the bar of a running job; `eta` is in seconds."""
    words = [f"scale {scale}"]
    if (total := losses.get("total")) is not None:
        words.append(f"loss {total:.3g}")
    if eta is not None:
        words.append(f"{format_duration(round(eta))} left")
    return "  ".join(words)
