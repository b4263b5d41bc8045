"""What was promised to the operator, held against the log: nothing held or paused has started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from soak.operator import Asked, FolderHeld


class Broken(NamedTuple):
    """A promise that was not kept: its kind, of whom, and a sentence."""

    kind: str
    of: str
    what: str


def broken_promises(
    events: Iterable[dict[str, Any]],
    asked: list[Asked],
    folders_held: list[FolderHeld],
    priorities: dict[str, int],
) -> Iterator[Broken]:
    """All that the log shows; `priorities` are those of the records, by the names of the jobs.

    A line may be missing, where the disk was full: what follows from that is never blamed.
    """
    known = [each for each in events if "timestamp" in each]
    lines = sorted(known, key=lambda line: str(line["timestamp"]))
    names = {line["job"]: line["name"] for line in lines if line.get("event") == "job.claimed"}
    yield from _started_while_held(lines, names, asked)
    yield from _started_while_paused(lines, asked)
    yield from _claimed_while_folder_is_held(lines, folders_held)
    yield from _other_priorities(lines, names, asked, priorities)


def _started_while_held(
    lines: list[dict[str, Any]], names: dict[str, str], asked: list[Asked]
) -> Iterator[Broken]:
    """What was asked about a sidecar is forgotten when the inbox is gone, that about a job not."""
    held: dict[str, tuple[float, bool]] = {}
    for line in lines:
        event, name = line.get("event"), names.get(line.get("job", ""), "")
        if event in {"job.changed", "sidecar.changed"}:
            is_sidecar = event == "sidecar.changed"
            name = PurePosixPath(line["sidecar"]).stem if is_sidecar else name
            if line.get("held"):
                held[name] = when(line), is_sidecar
            elif "held" in line:
                held.pop(name, None)
        elif event == "job.started" and name and name in held:
            since, is_sidecar = held.pop(name)
            ends = {"inbox", "release"} if is_sidecar else {"release"}
            if not _has_asked(asked, ends, {name, ""}, since, when(line)):
                yield Broken("too early", name, f"was held at {since}, and started: {line}")


def _started_while_paused(lines: list[dict[str, Any]], asked: list[Asked]) -> Iterator[Broken]:
    """The same hours are told once more after a pause within them, or a restart: hours that were
    opened since they were first told count, though the daemon reads that only when it can."""
    paused: dict[str, Any] | None = None
    since: dict[tuple[str, str], float] = {}
    for line in lines:
        match line.get("event"):
            case "starts.paused":
                paused = line
                since.setdefault(_pause(line), when(line))
            case "starts.resumed":
                paused = None
            case "job.started" if paused is not None:
                until = _seconds(paused["until"]) if "until" in paused else float("inf")
                ends = {"person": {"resume", "pause"}, "schedule": {"open"}}[paused["cause"]]
                may = when(line) >= until
                if not may and not _has_asked(
                    asked, ends, {""}, since[_pause(paused)] - 1, when(line)
                ):
                    yield Broken("too early", line["job"], f"started after {paused}: {line}")


def _pause(line: dict[str, Any]) -> tuple[str, str]:
    """What tells a pause from others: one by a person from all, closed hours by their end."""
    is_schedule = line["cause"] == "schedule"
    return line["cause"], line["until"] if is_schedule else line["timestamp"]


def _claimed_while_folder_is_held(
    lines: list[dict[str, Any]], folders_held: list[FolderHeld]
) -> Iterator[Broken]:
    for line in lines:
        if line.get("event") != "job.claimed" or not line["name"].startswith("job-"):
            continue
        folder = str(PurePosixPath(line["sidecar"]).parent)
        for held in folders_held:
            if folder == held.folder and held.since < when(line) < held.until:
                yield Broken("too early", line["name"], f"was claimed while {held}: {line}")


def _other_priorities(
    lines: list[dict[str, Any]],
    names: dict[str, str],
    asked: list[Asked],
    priorities: dict[str, int],
) -> Iterator[Broken]:
    """The last priority that a job was given is that of its record, or a later one is."""
    last: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line.get("event") == "job.changed" and line["job"] in names:
            last[names[line["job"]]] = line
    for name, line in last.items():
        later = {
            int(each.value)
            for each in asked
            if each.action == "priority" and each.name == name and each.when > when(line) - 1
        }
        found = priorities.get(name)
        if found is not None and found not in {line["priority"], *later}:
            yield Broken("mistaken", name, f"was made with priority {found}, after {line}")


def _has_asked(
    asked: list[Asked], actions: set[str], names: set[str], since: float, until: float
) -> bool:
    """Whether one of these was asked for in that time; a moment before counts, too."""
    return any(
        each.action in actions
        and (each.name in names or each.action in {"pause", "resume", "open"})
        and since - 1 <= each.when <= until
        for each in asked
    )


def when(line: dict[str, Any]) -> float:
    """The time of a line of the log, in seconds since the epoch."""
    return _seconds(line["timestamp"])


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
