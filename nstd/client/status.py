"""What is going on, read from the disk alone: the daemon may run or not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nstd.documents.config import Config
from nstd.errors import StoreError, printable
from nstd.intake.names import is_ignored, is_sidecar
from nstd.outbox.results import batch_of, list_published, read_json
from nstd.queue.batch import Batch, list_batches, read_published
from nstd.queue.job import Job
from nstd.queue.paths import JobPaths
from nstd.queue.store import JobStore, State, folders_of_jobs
from nstd.system.durable import Files
from nstd.system.layout import FAILED, HEALTH, LOCK, REASON
from nstd.system.lock import holder

RECENT = 10


@dataclass(frozen=True)
class Status:
    """A look at a root; every entry is ready to be printed as JSON."""

    root: str
    pid: int | None
    state: str
    paused: str
    inbox_lost: bool
    devices: list[dict[str, Any]]
    inbox: list[str]
    waiting: list[dict[str, Any]]
    running: list[dict[str, Any]]
    done: int
    failed: int
    recent: list[dict[str, Any]] = field(default_factory=list)
    batches: list[dict[str, Any]] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    """Backends that cannot be used for now, and why; their sidecars wait in the inbox."""
    unreadable: list[dict[str, str]] = field(default_factory=list)
    """Folders of jobs and batches in work that cannot be read, and why."""


def read_status(config: Config) -> Status:
    """The status of the root of `config`. Folders that are not there count as empty."""
    work, outbox = config.folder("work"), config.folder("outbox")
    pid = holder(work / LOCK)
    is_running = pid is not None
    daemon = read_json(work / HEALTH) if is_running else {}
    if daemon.get("pid") != (pid or _alive(daemon.get("pid"))):  # what another one has left
        daemon = {}
    waiting, running = [], []
    unreadable = list_unreadable(work)
    for job, paths in list_jobs(work):
        entry = _describe(job)
        if is_running and job.running and JobStore.state(paths) is State.WAITING:
            running.append(entry | _progress(job, paths, daemon))
        else:
            waiting.append(entry | {"state": JobStore.state(paths).value})
    published = list(list_published(outbox))
    recent = [_outcome(path, outbox) for path in _latest(published)]
    failed = sum(path.name == REASON for _, path in published)
    return Status(
        root=str(config.root),
        pid=pid or daemon.get("pid"),
        state=daemon.get("state", "starting" if pid else "running")
        if is_running
        else "not running",
        paused=daemon.get("paused", ""),
        inbox_lost=daemon.get("inbox_lost") is True,
        devices=daemon.get("devices", []),
        inbox=sorted(list_sidecars(config.folder("inbox"))),
        waiting=sorted(waiting, key=lambda entry: (-entry["priority"], entry["submitted"])),
        running=running,
        done=len(published) - failed,
        failed=failed,
        recent=recent,
        batches=[_describe_batch(b, waiting, running) for b in _batches(work, outbox, recent)],
        unavailable=daemon.get("unavailable", {}),
        unreadable=[{"job": folder.name, "error": reason} for folder, reason in unreadable],
    )


def _alive(pid: object) -> object:
    """`pid`, where there is such a process here; the lock did not say whose it is."""
    return pid if Path(f"/proc/{pid}").exists() else None


def list_jobs(work: Path) -> Iterator[tuple[Job, JobPaths]]:
    """Every job in the work folder with its paths, oldest first."""
    store = JobStore(work, Files())
    for job, _ in store.jobs():
        yield job, store.paths(job.id)


def list_unreadable(work: Path) -> list[tuple[Path, str]]:
    """The folders of jobs and batches that cannot be read, and why: another version's, or torn."""
    found: list[tuple[Path, Callable[[], object]]] = [
        *((folder, JobPaths(folder).read_job) for folder in folders_of_jobs(work)),
        *((paths.folder, paths.read) for paths in list_batches(work)),
    ]
    broken = []
    for folder, read in found:
        try:
            read()
        except StoreError as error:
            if folder.exists():  # else its job is done, just now
                broken.append((folder, printable(" ".join(error.message.split())[:300])))
    return broken


def _describe(job: Job) -> dict[str, Any]:
    return {
        "job": job.id,
        "name": job.name,
        "folder": job.folder,
        "backend": job.backend,
        "priority": job.priority,
        "attempt": job.attempt,
        "submitted": job.submitted,
    } | ({"batch": job.batch.id, "index": job.batch.index} if job.batch else {})


def _batches(work: Path, outbox: Path, recent: list[dict[str, Any]]) -> list[Batch]:
    """The batches under way, and those that are over of which a recent job is one."""
    found: dict[str, Batch] = {}
    for paths in list_batches(work):
        with suppress(StoreError):
            batch = paths.read()
            found[batch.id] = batch
    for entry in recent:
        if entry.get("batch", "") in {"", *found}:
            continue
        place = PurePosixPath(entry["output"]).parent
        is_failed = place.parts[:1] == (FAILED,)
        over = read_published(outbox / (place.relative_to(FAILED) if is_failed else place))
        if over is not None:
            found[over.id] = over
    return list(found.values())


def _describe_batch(
    batch: Batch, waiting: list[dict[str, Any]], running: list[dict[str, Any]]
) -> dict[str, Any]:
    """How many of its jobs are where; one that was put back has not ended."""
    back = {e["index"] for e in [*waiting, *running] if e.get("batch") == batch.id}
    ended = [m.end for index, m in enumerate(batch.members) if m.end and index not in back]
    done = sum(end.state == "finished" for end in ended)
    run = sum(entry.get("batch") == batch.id for entry in running)
    of = len(batch.members)
    return {
        "batch": batch.id,
        "name": batch.name,
        "output": batch.place,
        "of": of,
        "done": done,
        "failed": len(ended) - done,
        "running": run,
        "waiting": of - len(ended) - run,
        "sheet": batch.sheet,
    }


def _progress(job: Job, paths: JobPaths, daemon: dict[str, Any]) -> dict[str, Any]:
    slot = daemon.get("running", {}).get(job.id, "")
    note = read_json(paths.progress)
    kept = ("step", "steps", "level", "levels", "fraction", "losses", "elapsed", "eta", "memory")
    return {"slot": slot, "device": slot.rpartition("/")[0]} | {
        key: note[key] for key in (*kept, "time") if key in note
    }


def list_sidecars(inbox: Path) -> Iterator[str]:
    """The sidecars in the inbox, by their names relative to it."""
    for folder, folders, files in os.walk(inbox):
        folders[:] = [name for name in folders if not is_ignored(name)]
        for name in files:
            if is_sidecar(name):
                yield str((Path(folder) / name).relative_to(inbox))


def _latest(published: list[tuple[float, Path]]) -> list[Path]:
    return [path for _, path in sorted(published, reverse=True)[:RECENT]]


def _outcome(path: Path, outbox: Path) -> dict[str, Any]:
    record = read_json(path)
    kept = ("code", "message", "hint", "finished", "device")
    named = {key: str(record.get(key, "")) for key in ("job", "name", "state")}
    output = str(path.parent.relative_to(outbox))
    told = {key: record[key] for key in kept if key in record} | {"output": output}
    batch = batch_of(record)
    return named | told | ({"batch": batch["id"]} if batch else {})


def pause(took: float) -> float:
    """Seconds until the next look, after one that `took` so long: a large outbox takes its time."""
    return max(1.0, 4 * took)
