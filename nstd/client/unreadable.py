"""The folders of jobs and batches that cannot be read, and what a person can do about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from nstd.errors import StoreError, in_shell
from nstd.intake.names import is_sidecar
from nstd.queue.batch import list_batches
from nstd.queue.paths import JobPaths
from nstd.queue.store import folders_of_jobs


def list_unreadable(work: Path) -> list[tuple[Path, str]]:
    """The folders of jobs and batches that cannot be read, such as damaged ones, and why."""
    found: list[tuple[Path, Callable[[], object]]] = [
        *((folder, JobPaths(folder).read_job) for folder in folders_of_jobs(work)),
        *((paths.folder, paths.read) for paths in list_batches(work)),
        *(
            (folder, JobPaths(folder).read_job)
            for paths in list_batches(work)
            for folder in folders_of_jobs(paths.staged)
        ),
    ]
    broken = []
    for folder, read in found:
        try:
            read()
        except StoreError as error:
            if folder.exists():  # else its job is done, just now
                broken.append((folder, error.message))
    return broken


def advice_on_unreadable(folder: Path) -> str:
    """What a person can do about the folder of a job or batch that cannot be read."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return "look at it by hand"
    if not names:
        return f"it is an empty folder and no job: `rmdir {in_shell(folder)}` removes it"
    if sum(map(is_sidecar, names)) == 1:
        return f"`nstd retry {folder.name}` puts its sidecar back"
    hint = "it has no sidecar to be put back: take out what is of use, then "
    return f"{hint}`rm -r {in_shell(folder)}`"


def describe_unreadable(work: Path) -> Iterator[str]:
    """A line for each folder: why it cannot be read, and the advice."""
    for folder, reason in list_unreadable(work):
        yield f"{reason.splitlines()[0]}; {advice_on_unreadable(folder)}"
