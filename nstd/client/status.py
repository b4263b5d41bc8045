"""The status of a root, read from disk, whether the daemon runs or not."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath

from nstd.client.listing import list_sidecars, names_in
from nstd.client.status_entries import BatchEntry, EndedEntry, RunningEntry, Status, WaitingEntry
from nstd.client.status_folders import describe_folders
from nstd.client.unreadable import describe_unreadable
from nstd.documents.config import Config
from nstd.documents.schedule import Schedule
from nstd.errors import StoreError
from nstd.intake.names import is_blank, is_recipe
from nstd.outbox.record import Reason, Record
from nstd.outbox.results import read_ended, read_reason, scan_published
from nstd.queue.batch import Batch, list_batches, read_manifest
from nstd.queue.control import ControlRequests
from nstd.queue.health import Health, read_health
from nstd.queue.inbox_note import MOST_NOTES, InboxNote
from nstd.queue.job import Job
from nstd.queue.overrides import read_overrides
from nstd.queue.paths import JobPaths
from nstd.queue.progress import read_progress
from nstd.queue.recipe_state import RecipeState
from nstd.queue.start_pause import StartPause, closed_hours, read_pause
from nstd.queue.store import JobStore, State
from nstd.system.durable import Files
from nstd.system.layout import HEALTH, LOCK, REASON, without_failed
from nstd.system.lock import holder

RECENT = 10


def read_status(config: Config) -> Status:
    """The status of the root of `config`. Missing folders count as empty."""
    work, outbox = config.folder("work"), config.folder("outbox")
    pid = holder(work / LOCK)
    is_running = pid is not None
    health = _health(work, pid)
    waiting, running = _jobs(work, health if is_running else None)
    published = list(scan_published(outbox))
    latest = heapq.nlargest(RECENT, published)
    recent = tuple(_outcome(Path(path), outbox) for _, path in latest)
    failed, cancelled = _count_unfinished(published)
    at_work = {entry.job.id for entry in running}
    under_way = [entry.job for entry in waiting] + [entry.job for entry in running]
    batches = _batches(work, outbox, recent)
    notes: Sequence[InboxNote] = health.notes if is_running else _scan_inbox(config)
    recipes: Sequence[RecipeState] = health.recipes
    if not is_running:
        recipes, more = _survey(config)
        notes = [*notes, *more][:MOST_NOTES]
    has_made = bool(published or under_way)  # then pictures of earlier jobs need no note
    inbox = sorted(list_sidecars(config.folder("inbox")))
    overrides = read_overrides(work)
    return Status(
        root=str(config.root),
        pid=(pid or health.pid or None) if is_running else None,
        state=health.state if is_running else "not running",
        paused=health.paused,
        start_pause=health.start_pause if is_running else _next_pause(config),
        inbox_lost=health.inbox_lost,
        devices=health.devices,
        inbox=tuple(inbox),
        held_in_inbox=tuple(n for n in inbox if n in overrides and overrides[n].held),
        requests=tuple(ControlRequests(work, Files()).pending()),
        waiting=tuple(waiting),
        running=tuple(running),
        done=len(published) - failed - cancelled,
        failed=failed,
        cancelled=cancelled,
        recent=recent,
        batches=tuple(_describe_batch(batch, under_way, at_work) for batch in batches),
        recipes=describe_folders(
            recipes, under_way, at_work, [path for _, path in published], outbox
        ),
        unreadable=tuple(describe_unreadable(work)),
        unavailable=health.unavailable,
        notes=tuple(note for note in notes if not (has_made and note.kind == "unnamed")),
    )


def _next_pause(config: Config) -> StartPause | None:
    """Why a daemon that is started now would start no job, as far as the disk says it."""
    now = time.time()
    with suppress(OSError):
        paused = read_pause(config.folder("work"))
        if paused is not None and not paused.is_over(now):
            return paused
    return closed_hours(Schedule(config.schedule), now)


def _count_unfinished(published: Iterable[tuple[float, str]]) -> tuple[int, int]:
    """How many of the jobs that have ended failed, and how many a person ended."""
    reasons = [(made, path) for made, path in published if path.endswith(f"/{REASON}")]
    cancelled = sum(_is_cancelled(path, made) for made, path in reasons)
    return len(reasons) - cancelled, cancelled


@lru_cache(maxsize=1 << 16)
def _is_cancelled(path: str, _made: float) -> bool:
    """Whether a reason says that a person ended its job; read once, as long as it is the same."""
    reason = read_reason(Path(path))
    return reason is not None and reason.code == "cancelled"


def _health(work: Path, pid: int | None) -> Health:
    """The health that the daemon `pid` has written; that of an earlier daemon is ignored.

    `pid` is 0 if a daemon runs whose pid is unknown, and None if no daemon runs.
    """
    health = read_health(work / HEALTH) if pid is not None else None
    if health is not None and health.pid == (pid or _alive(health.pid)):
        return health
    return Health(pid=pid or 0, state="starting" if pid else "running")


def _alive(pid: int) -> int | None:
    """`pid` if such a process exists, else None; used when the lock file has no pid."""
    return pid if Path(f"/proc/{pid}").exists() else None


def _jobs(work: Path, health: Health | None) -> tuple[list[WaitingEntry], list[RunningEntry]]:
    """The waiting and held jobs, in the order in which they will run, and the running ones.

    `health` is that of the daemon; without a daemon, no job runs.
    """
    waiting, running = [], []
    for job, state in JobStore(work, Files()).jobs():
        if health is not None and job.running and state is State.WAITING:
            progress = read_progress(JobPaths(work / job.id).progress)
            running.append(RunningEntry(job, health.running.get(job.id, ""), progress))
        else:
            is_held = job.held and state is State.WAITING
            waiting.append(WaitingEntry(job, "held" if is_held else state.value))
    order = sorted(waiting, key=lambda e: (e.is_held, -e.job.priority, e.job.submitted))
    return order, running


def _scan_inbox(config: Config) -> Sequence[InboxNote]:
    from nstd.intake.notes import scan_once  # only needed if no daemon reads the sidecars

    return scan_once(config)


def _survey(config: Config) -> tuple[list[RecipeState], list[InboxNote]]:
    """The folders with a recipe and what is to be told of them, while no daemon reads them."""
    inbox = config.folder("inbox")
    with suppress(OSError):
        if all(_is_example(inbox / name) for name in names_in(inbox, is_recipe)):
            return [], []
        from nstd.intake.survey import Survey  # only needed if no daemon reads the recipes

        survey = Survey(config)
        return [each.state for each in survey.folders() if each.folder], survey.notes()
    return [], []


def _is_example(recipe: Path) -> bool:
    """Whether a recipe says nothing and lies alone, as the one that `nstd init` makes.

    Raises OSError.
    """
    return len(os.listdir(recipe.parent)) == 1 and is_blank(recipe.read_bytes())  # noqa: PTH208


def _batches(work: Path, outbox: Path, recent: Iterable[EndedEntry]) -> list[Batch]:
    """The batches under way, and the finished batches of recent jobs."""
    found: dict[str, Batch] = {}
    for paths in list_batches(work):
        with suppress(StoreError):
            batch = paths.read()
            found[batch.id] = batch
    for entry in recent:
        if entry.end.batch is None or entry.end.batch.id in found:
            continue
        place = PurePosixPath(entry.output).parent
        over = read_manifest(outbox / without_failed(place))
        if over is not None:
            found[over.id] = over
    return list(found.values())


def _describe_batch(batch: Batch, under_way: Iterable[Job], running: Collection[str]) -> BatchEntry:
    """The counts of its jobs by state; a job that was put back has not ended."""
    members = {j.batch.index: j for j in under_way if j.batch and j.batch.id == batch.id}
    ours = {index: job.id for index, job in members.items()}
    held = sum(job.held and job.id not in running for job in members.values())
    ended = [m.end for index, m in enumerate(batch.members) if m.end and index not in ours]
    done = sum(end.state == "finished" for end in ended)
    cancelled = sum(end.code == "cancelled" for end in ended)
    run = sum(job_id in running for job_id in ours.values())
    return BatchEntry(
        batch=batch,
        done=done,
        failed=len(ended) - done - cancelled,
        cancelled=cancelled,
        running=run,
        waiting=len(batch.members) - len(ended) - run - held,
        held=held,
    )


def _outcome(path: Path, outbox: Path) -> EndedEntry:
    """A job that has ended; if its record cannot be read, only its place."""
    blank = Reason() if path.name == REASON else Record()
    return EndedEntry(read_ended(path) or blank, str(path.parent.relative_to(outbox)))


def pause(took: float) -> float:
    """Seconds until the status is read again, after reading that `took` seconds: longer for a large
    outbox."""
    return max(1.0, 4 * took)
