"""The display of `nstd status --watch` on a terminal, for any width, with or without colours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nstd.cli.status_text import counts, memory, note_lines, request_lines
from nstd.client.status import pause, read_status
from nstd.client.status_entries import RunningEntry, Status
from nstd.documents.config import Config
from nstd.errors import printable
from nstd.outbox.record import Reason
from nstd.queue.health import DeviceHealth
from nstd.system.units import counted, format_duration

_WIDE = 100
"""The width, in columns, from which optional details are shown."""
_FEWEST = 3
_BAR = 16
_COLORS = {"failed": "red", "cancelled": "yellow"}


def watch(config: Config) -> None:
    """Draw the status repeatedly, until ^C."""
    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            began = time.monotonic()
            status = read_status(config)
            live.update(draw(status, console.width, console.height), refresh=True)
            time.sleep(pause(time.monotonic() - began))


def draw(status: Status, width: int, height: int) -> RenderableType:
    """The status for a terminal of this size: running jobs first, then waiting and ended ones."""
    parts: list[RenderableType] = [*_head(status), _devices(status, width)]
    left = max(2 * _FEWEST, height - 9 - len(status.running) - len(status.devices))
    left = max(2 * _FEWEST, left - len(status.batches) - bool(status.batches))
    left = max(2 * _FEWEST, left - min(len(status.notes), _FEWEST + 1))
    waiting = min(len(status.alone), max(_FEWEST, left - len(status.recent)))
    parts += _batches(status)
    parts += _waiting(status, waiting)
    parts += _recent(status, max(_FEWEST, left - waiting), width)
    return Group(*parts)


def _head(status: Status) -> Iterator[Text]:
    who = f"{status.state}, pid {status.pid}" if status.pid else status.state
    style = "bold red" if status.state == "not running" else "bold"
    now = f"{datetime.now().astimezone():%H:%M:%S}"
    yield _line(("nstd ", "bold"), f"{status.root}  ", (f"daemon {who}", style), f"  {now}")
    if status.start_pause is not None:
        yield _line((f"no job is started: {status.start_pause.describe()}", "yellow"))
    for line in request_lines(status, _FEWEST):
        yield _line((f"request: {line}", "yellow"))
    if status.paused:
        yield _line((f"intake is paused: {status.paused}", "yellow"))
    if status.inbox_lost:
        yield _line(("the inbox cannot be read: nothing is taken in", "red"))
    for name, reason in status.unavailable.items():
        text = f"backend {name} cannot be used for now, and its sidecars wait: {reason}"
        yield _line((text, "yellow"))
    for error in status.unreadable:
        yield _line((f"unreadable: {error.splitlines()[0]}", "red"))
    yield _line("")


def _devices(status: Status, width: int) -> Table:
    """A row for each running job with its device, and for each device without a job."""
    is_wide = width >= _WIDE
    table = _table()
    table.add_column("DEVICE", no_wrap=True)
    table.add_column("JOB", no_wrap=True, ratio=2)
    table.add_column("", ratio=1, min_width=8)
    for name in ("DONE", "LOSS", "LEFT", "MEM"):
        table.add_column(name, no_wrap=True, justify="right")
    for name in ("STEP", "SCALE", "ID") if is_wide else ():
        table.add_column(name, no_wrap=True, justify="right")
    for entry in status.running:
        table.add_row(*_running(entry, is_wide))
    busy = {entry.device for entry in status.running}
    for device in status.devices:
        if device.device not in busy or device.state != "up":
            table.add_row(_text(device.device), _health(device))
    return table


def _running(entry: RunningEntry, is_wide: bool) -> Iterator[RenderableType]:
    yield _text(entry.slot)
    yield _text(entry.job.name)
    if (progress := entry.progress) is None:
        yield _text("starting")
        return
    loss = progress.losses.get("total")
    yield ProgressBar(total=1.0, completed=progress.fraction)
    yield _text(f"{progress.fraction:.0%}")
    yield _text("" if loss is None else f"{loss:.4g}")
    yield _text("" if progress.eta is None else format_duration(round(progress.eta)))
    yield _text(memory(progress))
    if is_wide:
        yield _text(f"{progress.step}/{progress.steps}")
        yield _text(progress.scale)
        yield _text(entry.job.id)


def _health(device: DeviceHealth) -> Text:
    if device.state == "up":
        return Text("idle", style="dim")
    words = f"down after {counted(device.failures, 'failure')}"
    if (again := device.retry_at) is not None:
        words += f", tried again in {format_duration(max(0, round(again - time.time())))}"
    return Text(words, style="red")


def _batches(status: Status) -> Iterator[RenderableType]:
    """A line for each batch."""
    if not status.batches:
        return
    yield _line("")
    table = _table(header=False)
    for ratio in (None, None, 1):
        table.add_column(no_wrap=True, ratio=ratio)
    for entry in status.batches:
        over = (entry.done + entry.failed + entry.cancelled) / len(entry.batch.members)
        bar = ProgressBar(total=1.0, completed=over, width=_BAR)
        table.add_row(_text(entry.batch.name), bar, _text(counts(entry)))
    yield table


def _waiting(status: Status, shown: int) -> Iterator[RenderableType]:
    yield _line("")
    held = f", HELD {status.held}" if status.held else ""
    held += f", in the inbox {len(status.inbox)}"
    held += f" ({len(status.held_in_inbox)} held)" if status.held_in_inbox else ""
    count = f"WAITING {len(status.waiting) - status.held}{held}"
    yield _line((count, "bold"))
    yield from (_line((line, "yellow")) for line in note_lines(status.notes, _FEWEST))
    table = _table(header=False)
    for _ in range(2):
        table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, ratio=1)
    alone = status.alone
    for entry in alone[:shown]:
        job = entry.job
        since = format_duration(max(0, round(time.time() - job.submitted)))
        first = "held" if entry.is_held else f"priority {job.priority}"
        table.add_row(_text(first), _text(since), _text(job.name))
    yield table
    if (more := len(alone) - shown) > 0:
        yield _line((f"  ... and {more} more", "dim"))


def _recent(status: Status, shown: int, width: int) -> Iterator[RenderableType]:
    yield _line("")
    cancelled = f", CANCELLED {status.cancelled}" if status.cancelled else ""
    yield _line((f"DONE {status.done}, FAILED {status.failed}{cancelled}", "bold"))
    table = _table(header=False)
    table.add_column(no_wrap=True)
    if width >= _WIDE:
        table.add_column(no_wrap=True, max_width=width // 3)
    table.add_column(no_wrap=True, ratio=1)
    for entry in status.recent[:shown]:
        end = entry.end
        why = f"{end.code}: {entry.message}" if isinstance(end, Reason) else end.device
        mark = Text(entry.state, style=_COLORS.get(entry.state, "green"))
        texts = [entry.output, why]
        table.add_row(mark, *map(_text, texts if width >= _WIDE else ["  ".join(texts)]))
    yield table
    if (more := status.unlisted + len(status.recent[shown:])) > 0:
        yield _line((f"  ... and {counted(more, 'earlier one')}: all are in the gallery", "dim"))


def _table(*, header: bool = True) -> Table:
    """A table without borders; the column with a `ratio` gets the remaining width."""
    return Table(
        box=None, expand=True, show_header=header, padding=(0, 2, 0, 0), header_style="bold"
    )


def _text(value: str) -> Text:
    """Plain text, cut off where there is no room; markup and control characters have no effect."""
    return Text(printable(value), no_wrap=True, overflow="ellipsis")


def _line(*parts: str | tuple[str, str]) -> Text:
    escaped = [printable(p) if isinstance(p, str) else (printable(p[0]), p[1]) for p in parts]
    return Text.assemble(*escaped, no_wrap=True, overflow="ellipsis")
