"""What lies in the inbox and in the work folder, by its names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from nstd.intake.names import is_ignored, is_sidecar
from nstd.queue.job import Job
from nstd.queue.paths import JobPaths
from nstd.queue.store import JobStore
from nstd.system.durable import Files


def list_jobs(work: Path) -> Iterator[tuple[Job, JobPaths]]:
    """Every job in the work folder with its paths, oldest first."""
    store = JobStore(work, Files())
    for job, _ in store.jobs():
        yield job, store.paths(job.id)


def list_sidecars(inbox: Path) -> Iterator[str]:
    """The sidecars in the inbox, by their names relative to it."""
    return names_in(inbox, is_sidecar)


def names_in(inbox: Path, is_meant: Callable[[str], bool]) -> Iterator[str]:
    """The files in the inbox whose names `is_meant` accepts, relative to it."""
    for folder, folders, files in os.walk(inbox):
        folders[:] = [name for name in folders if not is_ignored(name)]
        for name in files:
            if is_meant(name):
                yield str((Path(folder) / name).relative_to(inbox))
