"""Checks the folder `work`: each folder in it is a job or a batch, and whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nstd.client.unreadable import advice_on_unreadable
from nstd.client.verify.damage import Damage
from nstd.documents.config import Config
from nstd.documents.model import BATCH_ID
from nstd.errors import StoreError, printable
from nstd.queue.batch import list_batches
from nstd.queue.job import JOB_ID, Job
from nstd.queue.paths import JobPaths
from nstd.queue.store import folders_of_jobs
from nstd.system.layout import BATCHES, EXPIRED, EXPIRY_LOCK, NEW, STAGING
from nstd.system.lock import holder

_UNIT = "work"


def check_work(config: Config, *, is_running: bool) -> Iterator[Damage]:
    """What is wrong with `work`, and what a kill has left if no daemon is there to remove it."""
    work = config.folder("work")
    for folder in folders_of_jobs(work):
        yield from _job(folder)
    for paths in list_batches(work):
        try:
            paths.read()
        except StoreError as error:
            hint = advice_on_unreadable(paths.folder)
            yield _damage("work_unreadable", paths.folder, printable(error.message), hint)
    yield from _strays(work)
    if not is_running and holder(work / EXPIRY_LOCK) is None:
        yield from _leftovers(config)


def _job(folder: Path) -> Iterator[Damage]:
    if folder.is_symlink():
        yield _damage("link", folder, "is a link, which nstd never makes here", "remove it")
        return
    paths = JobPaths(folder)
    try:
        job = paths.read_job()
    except StoreError as error:
        hint = advice_on_unreadable(folder)
        yield _damage("work_unreadable", folder, printable(error.message), hint)
        return
    if job.id != folder.name:
        said = f"has the job.json of another job, {printable(job.id)}"
        yield _damage("work_foreign", folder, said, "if it is a copy, remove it")
    elif not (paths.result.exists() or paths.reason.exists()):
        yield from _inputs(job, paths)


def _inputs(job: Job, paths: JobPaths) -> Iterator[Damage]:
    for given in job.inputs:
        path = paths.folder / given.file
        try:
            is_whole = _size(path) == given.bytes and not path.is_symlink()
        except OSError:
            is_whole = False
        if not is_whole:
            said = f"its copy of {printable(given.source)} is missing or cut"
            hint = f"`nstd cancel {job.id}`, and submit it again"
            yield _damage("input_missing", paths.folder, said, hint)


def _size(path: Path) -> int:
    """The bytes of a file, or of the files of a folder of frames. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        return sum(each.lstat().st_size for each in path.iterdir())
    return path.lstat().st_size


def _strays(work: Path) -> Iterator[Damage]:
    """Folders that are no jobs and no batches. Those of nstd's own data are hidden."""
    for parent, pattern in ((work, JOB_ID), (work / BATCHES, BATCH_ID)):
        for path in _entries(parent):
            is_folder = path.is_dir() or path.is_symlink()
            if is_folder and path.name[0] != "." and not pattern.fullmatch(path.name):
                said = "belongs to no job and no batch"
                yield _damage("work_stray", path, said, "look what it is, and move it away")


def _leftovers(config: Config) -> Iterator[Damage]:
    """What the next start of a daemon removes."""
    for path in _entries(config.folder("outbox") / EXPIRED):
        said = "was on its way out of the outbox when its sweep was killed; the next one goes on"
        hint = "`nstd expire` finishes it; if you want to keep it, move it away before that"
        yield _damage("expiry_left", path, said, hint)
    for parent in (config.folder("work") / NEW, config.folder("outbox") / STAGING):
        for path in _entries(parent):
            said = "was left by a daemon that was killed; the next start removes it"
            hint = "start the daemon, or say `nstd verify --repair`"
            yield Damage("leftover", printable(path), said, hint, "leftovers", unit=_UNIT)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if not folder.is_symlink() else []
    except OSError:
        return []


def _damage(kind: str, path: Path, message: str, hint: str) -> Damage:
    return Damage(kind, printable(path), message, hint, unit=_UNIT)
