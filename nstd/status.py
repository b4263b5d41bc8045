"""What is going on, read from the disk alone: the daemon may run or not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nstd.config import Config
from nstd.job import Job
from nstd.lock import holder
from nstd.names import is_ignored, is_sidecar
from nstd.outbox import ARCHIVE, LOGS
from nstd.paths import JobPaths
from nstd.spool import Spool, State

RECENT = 10


@dataclass(frozen=True)
class Status:
    """A look at a root; every entry is ready to be printed as JSON."""

    root: str
    pid: int | None
    state: str
    paused: str
    devices: list[dict[str, Any]]
    inbox: list[str]
    waiting: list[dict[str, Any]]
    running: list[dict[str, Any]]
    done: int
    failed: int
    recent: list[dict[str, Any]] = field(default_factory=list)


def read_status(config: Config) -> Status:
    """The status of the root of `config`. Folders that are not there count as empty."""
    work, outbox = config.folder("work"), config.folder("outbox")
    pid = holder(work / "daemon.lock")
    daemon = read_json(work / "daemon.json") if pid else {}
    waiting, running = [], []
    for job, paths in list_jobs(work):
        entry = _describe(job)
        if pid and job.running and Spool.state(paths) is State.WAITING:
            running.append(entry | _progress(job, paths, daemon))
        else:
            waiting.append(entry | {"state": Spool.state(paths).value})
    published = list(list_published(outbox))
    failed = sum(path.name == "reason.json" for _, path in published)
    return Status(
        root=str(config.root),
        pid=pid,
        state=daemon.get("state", "starting") if pid else "not running",
        paused=daemon.get("paused", ""),
        devices=daemon.get("devices", []),
        inbox=sorted(list_sidecars(config.folder("inbox"))),
        waiting=sorted(waiting, key=lambda entry: (-entry["priority"], entry["submitted"])),
        running=running,
        done=len(published) - failed,
        failed=failed,
        recent=[_outcome(path, outbox) for path in _latest(published)],
    )


def list_jobs(work: Path) -> Iterator[tuple[Job, JobPaths]]:
    spool = Spool.reading(work)
    for job, _ in spool.jobs():
        yield job, spool.paths(job.id)


def _describe(job: Job) -> dict[str, Any]:
    return {
        "job": job.id,
        "name": job.name,
        "folder": job.folder,
        "backend": job.backend,
        "priority": job.priority,
        "attempt": job.attempt,
        "submitted": job.submitted,
    }


def _progress(job: Job, paths: JobPaths, daemon: dict[str, Any]) -> dict[str, Any]:
    slot = daemon.get("running", {}).get(job.id, "")
    note = read_json(paths.progress)
    kept = ("step", "steps", "level", "levels", "fraction", "losses", "elapsed", "eta", "time")
    return {"slot": slot, "device": slot.rpartition("/")[0]} | {
        key: note[key] for key in kept if key in note
    }


def read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def list_sidecars(inbox: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(inbox):
        folders[:] = [name for name in folders if not is_ignored(name)]
        for name in files:
            if is_sidecar(name):
                yield str((Path(folder) / name).relative_to(inbox))


def list_published(outbox: Path) -> Iterator[tuple[float, Path]]:
    """When each result and each failure appeared, and its record."""
    top = os.fspath(outbox)
    for path, folders, files in os.walk(outbox):
        skip = {LOGS, ARCHIVE} if path == top else set()
        folders[:] = [name for name in folders if name[0] != "." and name not in skip]
        name = f"{Path(path).name}.json"
        record = "reason.json" if "reason.json" in files else name if name in files else None
        if record is not None:
            folders.clear()
            yield Path(path).stat().st_mtime, Path(path) / record


def _latest(published: list[tuple[float, Path]]) -> list[Path]:
    return [path for _, path in sorted(published, reverse=True)[:RECENT]]


def _outcome(path: Path, outbox: Path) -> dict[str, Any]:
    record = read_json(path)
    kept = ("job", "name", "state", "code", "message", "hint", "finished", "device")
    output = str(path.parent.relative_to(outbox))
    return {key: record[key] for key in kept if key in record} | {"output": output}
