"""What `nstd status --watch` draws on a terminal, at any width, with colours or without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nstd.cli.status_text import counts, memory, note_lines
from nstd.client.status import Status, pause, read_status
from nstd.documents.config import Config
from nstd.errors import printable
from nstd.system.units import format_duration

_WIDE = 100
"""Columns from which on there is room for what is nice to know."""
_FEWEST = 3
_BAR = 16


def watch(config: Config) -> None:
    """Draw the status again and again, until ^C."""
    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            began = time.monotonic()
            status = read_status(config)
            live.update(draw(status, console.width, console.height), refresh=True)
            time.sleep(pause(time.monotonic() - began))


def draw(status: Status, width: int, height: int) -> RenderableType:
    """The status for a terminal of this size: what runs first, then what waits and has ended."""
    parts: list[RenderableType] = [*_head(status), _devices(status, width)]
    left = max(2 * _FEWEST, height - 9 - len(status.running) - len(status.devices))
    left = max(2 * _FEWEST, left - len(status.batches) - bool(status.batches))
    left = max(2 * _FEWEST, left - min(len(status.notes), _FEWEST + 1))
    waiting = min(len(_alone(status)), max(_FEWEST, left - len(status.recent)))
    parts += _batches(status)
    parts += _waiting(status, waiting)
    parts += _recent(status, max(_FEWEST, left - waiting), width)
    return Group(*parts)


def _head(status: Status) -> Iterator[Text]:
    who = f"{status.state}, pid {status.pid}" if status.pid else "not running"
    style = "bold" if status.pid else "bold red"
    now = f"{datetime.now().astimezone():%H:%M:%S}"
    yield _line(("nstd ", "bold"), f"{status.root}  ", (f"daemon {who}", style), f"  {now}")
    if status.paused:
        yield _line((f"intake is paused: {status.paused}", "yellow"))
    if status.inbox_lost:
        yield _line(("the inbox cannot be read: nothing is taken in", "red"))
    yield _line("")


def _devices(status: Status, width: int) -> Table:
    """A row for each running job, on its device, and for each device without one."""
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
    busy = {entry["device"] for entry in status.running}
    for device in status.devices:
        if device["device"] not in busy or device["state"] != "up":
            table.add_row(_text(device["device"]), _health(device))
    return table


def _running(entry: dict[str, Any], is_wide: bool) -> Iterator[RenderableType]:
    yield _text(entry["slot"])
    yield _text(entry["name"])
    if "step" not in entry:
        yield _text("starting")
        return
    loss, eta = entry["losses"].get("total"), entry["eta"]
    yield ProgressBar(total=1.0, completed=entry["fraction"])
    yield _text(f"{entry['fraction']:.0%}")
    yield _text("" if loss is None else f"{loss:.4g}")
    yield _text("" if eta is None else format_duration(round(eta)))
    yield _text(memory(entry))
    if is_wide:
        yield _text(f"{entry['step']}/{entry['steps']}")
        yield _text(f"{entry['level']}/{entry['levels']}")
        yield _text(entry["job"])


def _health(device: dict[str, Any]) -> Text:
    if device["state"] == "up":
        return Text("idle", style="dim")
    words = f"down after {device['failures']} failures"
    if (again := device.get("retry_at")) is not None:
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
    for batch in status.batches:
        over = (batch["done"] + batch["failed"]) / batch["of"]
        bar = ProgressBar(total=1.0, completed=over, width=_BAR)
        table.add_row(_text(batch["name"]), bar, _text(counts(batch)))
    yield table


def _alone(status: Status) -> list[dict[str, Any]]:
    """What waits and is no member of a batch."""
    return [entry for entry in status.waiting if "batch" not in entry]


def _waiting(status: Status, shown: int) -> Iterator[RenderableType]:
    yield _line("")
    count = f"WAITING {len(status.waiting)}, in the inbox {len(status.inbox)}"
    yield _line((count, "bold"))
    yield from (_line((line, "yellow")) for line in note_lines(status, _FEWEST))
    table = _table(header=False)
    for _ in range(2):
        table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, ratio=1)
    alone = _alone(status)
    for entry in alone[:shown]:
        since = format_duration(max(0, round(time.time() - entry["submitted"])))
        table.add_row(_text(f"priority {entry['priority']}"), _text(since), _text(entry["name"]))
    yield table
    if (more := len(alone) - shown) > 0:
        yield _line((f"  ... and {more} more", "dim"))


def _recent(status: Status, shown: int, width: int) -> Iterator[RenderableType]:
    yield _line("")
    yield _line((f"DONE {status.done}, FAILED {status.failed}", "bold"))
    table = _table(header=False)
    table.add_column(no_wrap=True)
    if width >= _WIDE:
        table.add_column(no_wrap=True, max_width=width // 3)
    table.add_column(no_wrap=True, ratio=1)
    for entry in status.recent[:shown]:
        has_failed = entry["state"] == "failed"
        words = "".join(entry.get("message", "").splitlines()[:1])
        why = f"{entry.get('code', '')}: {words}" if has_failed else str(entry.get("device", ""))
        mark = Text(printable(entry["state"]), style="red" if has_failed else "green")
        told = [entry["output"], why]
        table.add_row(mark, *map(_text, told if width >= _WIDE else ["  ".join(told)]))
    yield table


def _table(*, header: bool = True) -> Table:
    """Columns side by side; the one that has a `ratio` takes what the others leave."""
    return Table(
        box=None, expand=True, show_header=header, padding=(0, 2, 0, 0), header_style="bold"
    )


def _text(value: str) -> Text:
    """Cut off where there is no room; markup and control characters mean nothing."""
    return Text(printable(value), no_wrap=True, overflow="ellipsis")


def _line(*parts: str | tuple[str, str]) -> Text:
    escaped = [printable(p) if isinstance(p, str) else (printable(p[0]), p[1]) for p in parts]
    return Text.assemble(*escaped, no_wrap=True, overflow="ellipsis")
