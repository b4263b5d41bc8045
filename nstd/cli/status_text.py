"""The status as text, for people."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from nstd.client.status_entries import BatchEntry, RecipeEntry, RunningEntry, Status
from nstd.errors import in_shell, printable
from nstd.intake.names import RECIPES
from nstd.queue.health import DeviceHealth
from nstd.queue.inbox_note import InboxNote
from nstd.queue.progress import ProgressNote
from nstd.system.units import counted, format_duration, format_size

_BAR = 20
_SHOWN = 10
_RUNNING = 40


def render(status: Status) -> str:
    """The status as text, in lines that fit a terminal."""
    return "\n".join(printable(line) for line in _lines(status))


def _lines(status: Status) -> Iterator[str]:
    who = f"{status.state}, pid {status.pid}" if status.pid else status.state
    yield f"nstd {status.root}: daemon {who}"
    if status.start_pause is not None:
        yield f"  no job is started: {status.start_pause.describe()}"
    if status.paused:
        yield f"  intake is paused: {status.paused}"
    if status.inbox_lost:
        yield "  the inbox cannot be read: nothing is taken in"
    for name, reason in status.unavailable.items():
        yield f"  backend {name} cannot be used for now, and its sidecars wait: {reason}"
    yield from _devices(status.devices)
    yield (
        f"  {len(status.inbox)} in the inbox, {len(status.waiting) - status.held} waiting, "
        + (f"{status.held} held, " if status.held else "")
        + f"{len(status.running)} running, {status.done} done, {status.failed} failed"
        + (f", {status.cancelled} cancelled" if status.cancelled else "")
    )
    yield from (f"  request  {line}" for line in request_lines(status, _SHOWN))
    yield from (f"  inbox    {line}" for line in note_lines(_other_notes(status), _SHOWN))
    yield from (f"  held     {name}, in the inbox" for name in status.held_in_inbox[:_SHOWN])
    yield from (f"  unreadable: {what}" for what in status.unreadable)
    yield from map(_running, status.running[:_RUNNING])
    if (more := len(status.running) - _RUNNING) > 0:
        yield f"  ... and {more} more of those that run"
    yield from map(_batch, status.batches)
    yield from map(_folder, status.recipes)
    for waiting in status.alone[:_SHOWN]:
        state = "held" if waiting.is_held else "waiting"
        yield f"  {state:7}  {waiting.job.id}  {waiting.job.name}"
    if (more := len(status.alone) - _SHOWN) > 0:
        yield f"  ... and {more} more"
    for ended in status.recent:
        what = "  ".join(filter(None, [ended.output, ended.message]))
        yield f"  {ended.state:9} {ended.end.job}  {what}"
    if status.unlisted > 0:
        yield f"  ... and {counted(status.unlisted, 'earlier one')}: all are in the gallery"


def request_lines(status: Status, shown: int) -> Iterator[str]:
    """A line for each request that the daemon has not carried out yet."""
    when = "" if status.pid is not None else ", when the daemon runs again"
    for request in status.requests[:shown]:
        yield f"{request.describe()}{when}"
    if (more := len(status.requests) - shown) > 0:
        yield f"... and {more} more"


def _other_notes(status: Status) -> list[InboxNote]:
    """The notes without those of wrong recipes, which the lines of their folders tell."""
    wrong = [each.folder for each in status.recipes if each.error]
    told = {f"{folder}/{name}" for folder in wrong for name in RECIPES}
    return [note for note in status.notes if note.name not in told]


def note_lines(notes: Sequence[InboxNote], shown: int) -> Iterator[str]:
    """A line for each file of the inbox that will not become a job as it is, and why."""
    for note in notes[:shown]:
        waited = None if note.since is None else max(0, round(time.time() - note.since))
        age = "" if waited is None else f" (for {format_duration(waited)})"
        yield f"{note.name}{age} {note.message}"
    if (more := len(notes) - shown) > 0:
        yield f"... and {more} more"


def _devices(devices: Iterable[DeviceHealth]) -> Iterator[str]:
    """A line for each device of this machine, or for each node of a cluster."""
    nodes: dict[str, list[DeviceHealth]] = defaultdict(list)
    for device in devices:
        node, slash, _ = device.device.rpartition("/")
        if slash:
            nodes[node].append(device)
        else:
            yield f"  device {device.device}: {device.state}, slots: {device.slots}"
    sound = [node for node, held in nodes.items() if not any(map(_is_down, held))]
    for node, held in nodes.items():
        if node not in sound[_SHOWN:]:
            yield f"  node {node}: {_health(held)}"
    if (more := len(sound) - _SHOWN) > 0:
        yield f"  ... and {counted(more, 'more node')}, all up"


def _is_down(device: DeviceHealth) -> bool:
    return device.state != "up" or not device.slots


def _health(devices: list[DeviceHealth]) -> str:
    """How many devices of a node are up, and which are down."""
    down = [device.device.rpartition("/")[2] for device in devices if _is_down(device)]
    up = f"{len(devices) - len(down)} of {counted(len(devices), 'device')} up"
    which = ", ".join(down[:_SHOWN]) + (" ..." if len(down) > _SHOWN else "")
    return up + (f"; down: {which}" if down else "")


def _batch(entry: BatchEntry) -> str:
    return f"  batch    {entry.batch.id}  {entry.batch.name}  {counts(entry)}"


def _folder(entry: RecipeEntry) -> str:
    """`folder starry/: 3 waiting, 800 held (nstd release starry/), 30 done`."""
    numbers = {"waiting": entry.waiting, "held": entry.held, "done": entry.done}
    numbers["failed"] = entry.failed
    parts = [f"{number} {state}" for state, number in numbers.items() if number]
    if entry.held > entry.held_jobs:
        parts.append(f"`nstd release {in_shell(f'{entry.folder}/')}` lets the held ones go")
    if entry.error:
        parts.append(f"the recipe is not followed: {entry.error.splitlines()[0]}")
    return f"  folder   {entry.folder}/  {', '.join(parts) or 'nothing waits'}"


def counts(entry: BatchEntry) -> str:
    """`3 of 8 done, 1 failed, 1 running, 3 waiting`; counts of 0 are left out."""
    numbers = {
        "failed": entry.failed,
        "cancelled": entry.cancelled,
        "running": entry.running,
        "waiting": entry.waiting,
        "held": entry.held,
    }
    parts = [f"{number} {state}" for state, number in numbers.items() if number]
    return ", ".join([f"{entry.done} of {len(entry.batch.members)} done", *parts])


def _running(entry: RunningEntry) -> str:
    line = f"  running  {entry.job.id}  {entry.job.name}  {entry.slot}"
    if (progress := entry.progress) is None:
        return f"{line}  starting"
    bar = "#" * round(progress.fraction * _BAR)
    line += f" [{bar:<{_BAR}}] {progress.step}/{progress.steps}"
    if (total := progress.losses.get("total")) is not None:
        line += f" loss {total:g}"
    line += f" {format_duration(round(progress.eta))} left" if progress.eta is not None else ""
    return f"{line} {memory(progress)}".rstrip()


def memory(report: ProgressNote) -> str:
    """The memory in use by a running job, rounded to MiB: `644MiB`, `1.534GiB`."""
    return format_size(report.memory >> 20 << 20) if report.memory else ""
