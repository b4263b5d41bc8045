"""What is going on, read from the disk alone: the daemon may run or not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nstd.documents.config import Config
from nstd.errors import StoreError
from nstd.intake.names import is_ignored, is_sidecar
from nstd.intake.notes import look_once
from nstd.outbox.results import batch_of, list_published, read_json
from nstd.queue.batch import Batch, list_batches, read_published
from nstd.queue.job import Job
from nstd.queue.paths import JobPaths
from nstd.queue.store import JobStore, State
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
    notes: list[dict[str, Any]] = field(default_factory=list)


def read_status(config: Config) -> Status:
    """The status of the root of `config`. Folders that are not there count as empty."""
    work, outbox = config.folder("work"), config.folder("outbox")
    pid = holder(work / LOCK)
    daemon = read_json(work / HEALTH) if pid else {}
    if daemon.get("pid") != pid:  # it has not written yet: this is what another one left
        daemon = {}
    waiting, running = [], []
    for job, paths in list_jobs(work):
        entry = _describe(job)
        if pid and job.running and JobStore.state(paths) is State.WAITING:
            running.append(entry | _progress(job, paths, daemon))
        else:
            waiting.append(entry | {"state": JobStore.state(paths).value})
    published = list(list_published(outbox))
    recent = [_outcome(path, outbox) for path in _latest(published)]
    failed = sum(path.name == REASON for _, path in published)
    has_made = bool(published or waiting or running)
    notes = list(_notes(config, daemon.get("notes", []) if pid else None, has_made))
    return Status(
        root=str(config.root),
        pid=pid,
        state=daemon.get("state", "starting") if pid else "not running",
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
        notes=notes,
    )


def _notes(config: Config, told: object, has_made: bool) -> Iterator[dict[str, Any]]:
    """What in the inbox becomes no job as it is: as the daemon has `told`, or by a look of ours.

    Pictures that no sidecar names are told of only while nothing was ever made.
    """
    notes = [note.model_dump(mode="json") for note in look_once(config)] if told is None else told
    for note in notes if isinstance(notes, list) else []:
        if isinstance(note, dict) and not (has_made and note.get("kind") == "unnamed"):
            yield note


def list_jobs(work: Path) -> Iterator[tuple[Job, JobPaths]]:
    """Every job in the work folder with its paths, oldest first."""
    store = JobStore(work, Files())
    for job, _ in store.jobs():
        yield job, store.paths(job.id)


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
