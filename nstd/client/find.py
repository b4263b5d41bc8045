"""Finds the job that a user means by an id or its beginning, a name, a sidecar or a path in the
outbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from nstd.client.status import list_jobs, list_sidecars, list_unreadable
from nstd.documents.config import Config
from nstd.errors import StoreError, did_you_mean, nearest
from nstd.intake.names import is_sidecar
from nstd.outbox.record import Heading
from nstd.outbox.results import list_published, read_heading
from nstd.queue.batch import list_batches
from nstd.system.layout import FAILED

SHORTEST = 8  # the least length of the beginning of an id
_ELSEWHERE = {
    "batch": ("a batch that is under way", "`nstd cancel` ends it"),
    "failed batch": ("a batch with failed jobs", "`nstd retry` runs them again"),
    "work": ("a job that waits or runs", "`nstd cancel` ends it"),
    "unreadable": ("a job that cannot be read", "`nstd retry` puts its sidecar back"),
    "inbox": ("in the inbox, not yet a job", "it will be one when its pictures are there"),
    "failed": ("a job that has failed", "`nstd retry` runs it again"),
    "done": ("done already", "drop or submit it again to make it once more"),
}


@dataclass(frozen=True)
class Target:
    """A job that was found."""

    where: str  # "batch", "work", "unreadable", "inbox", "failed batch", "failed" or "done"
    name: str  # the id of the job or batch, the sidecar's name, or the folder in the outbox
    aliases: frozenset[str]

    def is_meant(self, wanted: str) -> bool:
        """Whether `wanted` is one of its names or the beginning of its id."""
        begins = len(wanted) >= SHORTEST and any(name.startswith(wanted) for name in self.ids)
        return wanted in self.aliases or begins

    @property
    def ids(self) -> set[str]:
        """The aliases that are job ids."""
        return {alias for alias in self.aliases if alias[:8].isdecimal()}


def find_job(config: Config, wanted: str, places: tuple[str, ...]) -> Target:
    """The job in `places` that matches `wanted`; the first place with a match is used.

    Raises StoreError `not_found` when no job, or more than one, matches.
    """
    targets = list(_targets(config))
    for place in places:
        found = [t for t in targets if t.where == place and t.is_meant(wanted)]
        if len(found) > 1:
            names = ", ".join(sorted(target.name for target in found))
            raise StoreError("not_found", f"{wanted!r} means several jobs: {names}", "say which")
        if found:
            return found[0]
    elsewhere = next((target for target in targets if target.is_meant(wanted)), None)
    if elsewhere is not None:
        place, hint = _ELSEWHERE[elsewhere.where]
        raise StoreError("not_found", f"{wanted!r} is {place}: {elsewhere.name}", hint)
    known = [alias for target in targets if target.where in places for alias in target.aliases]
    raise StoreError(
        "not_found",
        f"no job {wanted!r} is in {' or '.join(places)}{did_you_mean(nearest(wanted, known))}",
        "`nstd status` lists the jobs",
    )


def known_names(config: Config, places: tuple[str, ...]) -> list[str]:
    """All names of the jobs in `places`, for completion in a shell."""
    targets = [target for target in _targets(config) if target.where in places]
    return sorted({alias for target in targets for alias in target.aliases})


def _targets(config: Config) -> Iterator[Target]:
    for paths in list_batches(config.folder("work")):
        with suppress(StoreError):
            live = paths.read()
            yield Target("batch", live.id, frozenset({live.id, live.name, live.place}))
    for job, _ in list_jobs(config.folder("work")):
        path = PurePosixPath(job.place, job.name)
        yield Target("work", job.id, frozenset({job.id, job.name, str(path)}))
    for folder, _ in list_unreadable(config.folder("work")):
        stems = {path.stem for path in folder.glob("*") if is_sidecar(path.name)}
        yield Target("unreadable", folder.name, frozenset({folder.name, *stems}))
    for sidecar in list_sidecars(config.folder("inbox")):
        path = PurePosixPath(sidecar)
        names = {sidecar, path.name, path.stem, str(path.with_suffix(""))}
        yield Target("inbox", sidecar, frozenset(names))
    outbox = config.folder("outbox")
    batches: dict[str, set[str]] = {}
    for _, record_path in list_published(outbox):
        told = read_heading(record_path) or Heading()
        output = record_path.parent.relative_to(outbox)
        is_failed = output.parts[0] == FAILED
        inner = output.relative_to(FAILED) if is_failed else output
        names = {str(output), str(inner), output.name, *filter(None, [told.job])}
        if is_failed and (batch := told.batch):
            names_of_batch = batches.setdefault(batch.id, {batch.id, batch.name})
            names_of_batch.add(str(inner.parent))
        yield Target("failed" if is_failed else "done", str(output), frozenset(names))
    for batch_id, names in batches.items():
        yield Target("failed batch", batch_id, frozenset(names))
