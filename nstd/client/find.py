"""Finds the job that a user means by an id or its beginning, a name, a sidecar or a path in the
outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nstd.client.listing import list_jobs, list_sidecars
from nstd.client.readable import check_readable
from nstd.client.unreadable import list_unreadable
from nstd.documents.config import Config
from nstd.errors import StoreError, did_you_mean, in_shell, nearest
from nstd.intake.names import is_sidecar
from nstd.outbox.record import Heading
from nstd.outbox.results import list_published, read_heading
from nstd.queue.batch import list_batches
from nstd.system.layout import FAILED, without_failed
from nstd.system.units import counted

SHORTEST = 8  # of the beginning of an id
_SHORT = 3  # of the beginning of a name
_LISTED = 20
_ELSEWHERE = {
    "batch": ("a batch that is under way", "`nstd cancel` ends it"),
    "failed batch": ("a batch with failed jobs", "`nstd retry` runs them again"),
    "work": ("a job that waits or runs", "`nstd cancel` ends it"),
    "unreadable": ("a job that cannot be read", "`nstd retry` puts its sidecar back"),
    "inbox": ("in the inbox, not yet a job", "it will be one when its pictures are there"),
    "failed": ("a job that has failed", "`nstd retry` runs it again"),
    "done batch": ("a batch that is done", "drop its sidecar again to make it once more"),
    "done": ("done already", "`nstd again` makes it once more"),
}


@dataclass(frozen=True)
class Target:
    """A job that was found."""

    where: str
    """One of the places above."""
    name: str
    """The id of the job or batch, the name of the sidecar, or the folder in the outbox."""
    aliases: frozenset[str]
    id: str = ""
    """Of a job, where it has one."""
    sidecar: str = ""
    """The name of its sidecar in the inbox, where that is known."""

    def is_called(self, wanted: str) -> bool:
        """Whether `wanted` is one of its names, its id, or its sidecar."""
        names = (self.sidecar, PurePosixPath(self.sidecar).name) if self.sidecar else ()
        return wanted in self.aliases or wanted in names

    def begins(self, wanted: str) -> bool:
        """Whether its id or one of its names begins with `wanted`."""
        return any(
            alias.startswith(wanted) and len(wanted) >= (SHORTEST if _is_id(alias) else _SHORT)
            for alias in self.aliases
        )


def find_job(config: Config, wanted: str, places: tuple[str, ...]) -> Target:
    """The job in `places` that matches `wanted`; the first place with a match is used.

    A complete name takes precedence over names that begin with `wanted`, also that of a job in
    another place: who says `beach`, which is done, does not mean `beach-party`. Raises StoreError
    `not_found` when no job matches, or several.
    """
    check_readable(config)
    targets = list(_targets(config))
    if found := _first_match(targets, wanted, places, Target.is_called):
        return found
    elsewhere = next((target for target in targets if target.is_called(wanted)), None)
    if elsewhere is not None:
        place, hint = _ELSEWHERE[elsewhere.where]
        raise StoreError("not_found", f"{wanted!r} is {place}: {elsewhere.name}", hint)
    if found := _first_match(targets, wanted, places, Target.begins):
        return found
    known = [alias for target in targets if target.where in places for alias in target.aliases]
    if begun := [alias for alias in known if alias.startswith(wanted)]:
        so = counted(len(begun), "id or name begins", "ids or names begin")
        raise StoreError(
            "not_found",
            f"{wanted!r} is too short: {so} so",
            f"give at least {SHORTEST} characters of an id, or {_SHORT} of a name",
        )
    raise StoreError(
        "not_found",
        f"no such job: {wanted!r}{did_you_mean(nearest(wanted, known))}",
        _what_there_is([target.name for target in targets if target.where in places]),
    )


def _first_match(
    targets: Iterable[Target],
    wanted: str,
    places: tuple[str, ...],
    is_meant: Callable[[Target, str], bool],
) -> Target | None:
    """The only match in the first place that has one. Raises StoreError where it has several."""
    for place in places:
        found = [each for each in targets if each.where == place and is_meant(each, wanted)]
        if len(found) > 1:
            raise _several(wanted, found)
        if found:
            return found[0]
    return None


def _what_there_is(names: list[str]) -> str:
    """The jobs that a command could have been asked for."""
    if not names:
        return "there is none that this command could take; `nstd status` shows what there is"
    shown = ", ".join(map(in_shell, sorted(names)[:_LISTED]))
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there are: {shown}{more}"


def _several(wanted: str, found: list[Target]) -> StoreError:
    """The error for a name that matches several jobs; its message lists them, one per line."""
    lines = []
    for target in sorted(found, key=lambda each: each.name)[:_LISTED]:
        others = sorted(target.aliases - {target.name}, key=len)
        lines.append(f"  {target.name}  {others[0] if others else ''}".rstrip())
    if (more := len(found) - _LISTED) > 0:
        lines.append(f"  ... and {more} more")
    message = "\n".join([f"{wanted!r} means several jobs:", *lines])
    return StoreError("not_found", message, "say which, by the first word of its line")


def _is_id(alias: str) -> bool:
    return alias[:8].isdecimal()


def known_names(config: Config, places: tuple[str, ...]) -> list[str]:
    """All names of the jobs in `places`, for completion in a shell."""
    targets = [target for target in _targets(config) if target.where in places]
    return sorted({alias for target in targets for alias in target.aliases})


def _targets(config: Config) -> Iterator[Target]:
    for paths in list_batches(config.folder("work")):
        with suppress(StoreError):
            live = paths.read()
            called, sidecar = frozenset({live.id, live.name, live.place}), live.sidecar
            yield Target("batch", live.id, called, sidecar=str(PurePosixPath(live.folder, sidecar)))
    for job, _ in list_jobs(config.folder("work")):
        path = PurePosixPath(job.place, job.name)
        called = frozenset({job.id, job.name, str(path)})
        yield Target("work", job.id, called, job.id, job.sidecar_path)
    for folder, _ in list_unreadable(config.folder("work")):
        kept = [path for path in folder.glob("*") if is_sidecar(path.name)]
        called = frozenset({folder.name, *(path.stem for path in kept)})
        sidecar = kept[0].name if kept else ""
        yield Target("unreadable", folder.name, called, sidecar=sidecar)
    for sidecar in list_sidecars(config.folder("inbox")):
        path = PurePosixPath(sidecar)
        names = {sidecar, path.name, path.stem, str(path.with_suffix(""))}
        yield Target("inbox", sidecar, frozenset(names))
    yield from _published(config.folder("outbox"))


def _published(outbox: Path) -> Iterator[Target]:
    batches: dict[str, set[str]] = {}
    failed: set[str] = set()
    for _, record_path in list_published(outbox):
        heading = read_heading(record_path) or Heading()
        output = record_path.parent.relative_to(outbox)
        is_failed = output.parts[0] == FAILED
        inner = without_failed(output)
        names = {str(output), str(inner), output.name, *filter(None, [heading.job])}
        if batch := heading.batch:
            names_of_batch = batches.setdefault(batch.id, {batch.id, batch.name})
            names_of_batch.add(str(inner.parent))
            if is_failed:
                failed.add(batch.id)
        place = "failed" if is_failed else "done"
        yield Target(place, str(output), frozenset(names), heading.job, heading.sidecar or "")
    for batch_id, names in batches.items():
        place = "failed batch" if batch_id in failed else "done batch"
        yield Target(place, batch_id, frozenset(names))
