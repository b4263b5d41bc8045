"""A progress bar per running job, drawn from the events of the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from nstd.log import listen
from nstd.units import format_duration


class Bars:
    """Follows a daemon in this process; shows bars on a terminal, and keeps what has ended."""

    def __init__(self, jobs: int, *, visible: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description:28}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[note]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not visible,
        )
        self._jobs = jobs
        self._tasks: dict[str, TaskID] = {}
        self._unlisten: Callable[[], None] = lambda: None
        self.ended: list[tuple[PurePosixPath, str]] = []
        self.failed = 0

    def __enter__(self) -> Self:
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
            note = "starting (torch takes a few seconds)"
            self._tasks[line["job"]] = self._progress.add_task(line["name"], total=1, note=note)
        elif event == "job.progress" and line["job"] in self._tasks:
            left = "" if line["eta"] is None else f"{format_duration(round(line['eta']))} left"
            total = line["losses"].get("total")
            note = f"scale {line['scale']}  loss {total:.4g}  {left}"
            self._update(line, line["fraction"], note if total is not None else left)
        elif event == "job.finished":
            self._update(line, 1, "done")
            name = PurePosixPath(line["output"]).name
            seconds = format_duration(round(line["seconds"]["total"]))
            size = f"{line['width']}x{line['height']}"
            self.ended.append((PurePosixPath(line["output"]), f"{name}: {size} in {seconds}"))
        elif event == "job.failed":
            self.failed += 1
            self._update(line, 1, line["code"])
            self.ended.append((PurePosixPath(line["output"]), f"{line['code']}: {line['message']}"))

    def _update(self, line: dict[str, Any], fraction: float, note: str) -> None:
        if line["job"] in self._tasks:
            self._progress.update(self._tasks[line["job"]], completed=fraction, note=note)
