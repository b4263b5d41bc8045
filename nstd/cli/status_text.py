"""The status as text, for people."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from nstd.client.status import Status
from nstd.errors import printable
from nstd.system.units import format_duration, format_size

_BAR = 20
_SHOWN = 10
_RUNNING = 40


def render(status: Status) -> str:
    """The status for a person, in lines that fit a terminal."""
    return "\n".join(printable(line) for line in _lines(status))


def _lines(status: Status) -> Iterator[str]:
    who = f"{status.state}, pid {status.pid}" if status.pid else "not running"
    yield f"nstd {status.root}: daemon {who}"
    if status.paused:
        yield f"  intake is paused: {status.paused}"
    if status.inbox_lost:
        yield "  the inbox cannot be read: nothing is taken in"
    yield from _devices(status.devices)
    yield (
        f"  {len(status.inbox)} in the inbox, {len(status.waiting)} waiting, "
        f"{len(status.running)} running, {status.done} done, {status.failed} failed"
    )
    yield from (f"  inbox    {line}" for line in note_lines(status, _SHOWN))
    yield from map(_running, status.running[:_RUNNING])
    if (more := len(status.running) - _RUNNING) > 0:
        yield f"  ... and {more} more run"
    yield from map(_batch, status.batches)
    alone = [entry for entry in status.waiting if "batch" not in entry]
    for entry in alone[:_SHOWN]:
        yield f"  waiting  {entry['job']}  {entry['name']}"
    if (more := len(alone) - _SHOWN) > 0:
        yield f"  ... and {more} more"
    for entry in status.recent:
        what = entry.get("message", "").splitlines()[:1]
        yield f"  {entry['state']:8} {entry['job']}  {'  '.join([entry['output'], *what])}"


def note_lines(status: Status, shown: int) -> Iterator[str]:
    """A line for each file of the inbox that becomes no job as it is, and why."""
    for note in status.notes[:shown]:
        since = note["since"]
        age = f" (for {format_duration(max(0, round(time.time() - since)))})" if since else ""
        yield f"{note['name']}{age} {note['message']}"
    if (more := len(status.notes) - shown) > 0:
        yield f"... and {more} more"


def _devices(devices: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each device of this machine, or for each node of a cluster."""
    nodes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for device in devices:
        node, slash, _ = device["device"].rpartition("/")
        if slash:
            nodes[node].append(device)
        else:
            yield f"  device {device['device']}: {device['state']}, slots: {device['slots']}"
    sound = [node for node, held in nodes.items() if not any(map(_is_down, held))]
    for node, held in nodes.items():
        if node not in sound[_SHOWN:]:
            yield f"  node {node}: {_health(held)}"
    if (more := len(sound) - _SHOWN) > 0:
        yield f"  ... and {more} more nodes, all up"


def _is_down(device: dict[str, Any]) -> bool:
    return device["state"] != "up" or not device["slots"]


def _health(devices: list[dict[str, Any]]) -> str:
    """How many of a node's devices are up, and which are not."""
    down = [device["device"].rpartition("/")[2] for device in devices if _is_down(device)]
    up = f"{len(devices) - len(down)} of {len(devices)} devices up"
    which = ", ".join(down[:_SHOWN]) + (" ..." if len(down) > _SHOWN else "")
    return up + (f"; down: {which}" if down else "")


def _batch(entry: dict[str, Any]) -> str:
    return f"  batch    {entry['batch']}  {entry['name']}  {counts(entry)}"


def counts(batch: dict[str, Any]) -> str:
    """`3 of 8 done, 1 failed, 1 running, 3 waiting`; of what there is none, nothing is said."""
    parts = [f"{batch[key]} {key}" for key in ("failed", "running", "waiting") if batch[key]]
    return ", ".join([f"{batch['done']} of {batch['of']} done", *parts])


def _running(entry: dict[str, Any]) -> str:
    line = f"  running  {entry['job']}  {entry['name']}  {entry['slot']}"
    if "step" not in entry:
        return f"{line}  starting"
    bar = "#" * round(entry["fraction"] * _BAR)
    line += f" [{bar:<{_BAR}}] {entry['step']}/{entry['steps']}"
    if (total := entry["losses"].get("total")) is not None:
        line += f" loss {total:g}"
    eta = entry["eta"]
    line += f" {format_duration(round(eta))} left" if eta is not None else ""
    return f"{line} {memory(entry)}".rstrip()


def memory(entry: dict[str, Any]) -> str:
    """What a running job holds of its device now, in whole MiB: `644MiB`, `1.534GiB`."""
    held = entry.get("memory")
    return format_size(held >> 20 << 20) if held else ""
