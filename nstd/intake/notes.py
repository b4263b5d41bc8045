"""Notes for people about files in the inbox that will not become jobs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import islice

from nstd.documents.config import Config
from nstd.errors import NstdError, SidecarError, did_you_mean, in_shell
from nstd.intake.locator import Locator, advice_on_name
from nstd.intake.names import mistake
from nstd.intake.scan import Scan
from nstd.intake.sidecar_cache import SidecarCache
from nstd.queue.inbox_note import MOST_NOTES, InboxNote
from nstd.system.nofollow import Folder, join

_MANY = 10
"""So many pictures of one sub-folder that no sidecar names are told in one note."""
_NEAR = 10
_BUDGET = 1.0
"""Seconds that `scan_once` spends on reading sidecars."""


def mistaken(mistakes: Iterable[str], named: Container[str] = ()) -> Iterator[InboxNote]:
    """A note for each file whose name looks like a mistake; not of those in folders that are
    `named`: beside the frames of a film a text is no sidecar that somebody has misspelt."""
    for name in mistakes:
        folder, _, leaf = name.rpartition("/")
        if folder not in named:
            yield InboxNote(name=name, kind="mistake", message=mistake(leaf))


def unnamed(
    pictures: Iterable[str], named: set[str], notes_so_far: Iterable[InboxNote]
) -> Iterator[InboxNote]:
    """A note for each picture that no sidecar names, or seems to mean by another name."""
    meant = {
        join(note.name.rpartition("/")[0], near)
        for note in notes_so_far
        for near in note.nearest.values()
    }
    left = [name for name in pictures if name not in named and name not in meant]
    left = [name for name in left if name.rpartition("/")[0] not in named]  # frames of a folder
    folders = Counter(name.rpartition("/")[0] for name in left)
    for folder, count in folders.items():
        if folder and count >= _MANY:
            said = in_shell(f"{folder}/")
            message = f"holds pictures that no sidecar names: `nstd submit {said} STYLE` makes a "
            message += f"film of numbered ones, `nstd recipe {in_shell(folder)} STYLE` paints each"
            yield InboxNote(name=f"{folder}/", kind="unnamed", message=message)
    for name in left:
        folder = name.rpartition("/")[0]
        if not folder or folders[folder] < _MANY:
            message = f"is named by no sidecar: `nstd submit {in_shell(name)} STYLE` makes a job"
            yield InboxNote(name=name, kind="unnamed", message=message)


def waiting(
    sidecar: str, missing: Iterable[str], nearest: Mapping[str, str], since: float
) -> InboxNote:
    """The note of a sidecar whose pictures have not come; `nearest` has names that are similar."""
    names = tuple(missing)
    advice = [advice_on_name(name) or did_you_mean(nearest.get(name, "")) for name in names]
    if len(names) == 1:
        message = f"waits for {names[0]!r}{advice[0]}"
    else:
        each = (
            f"{name!r}" + (f" ({said.removeprefix('; ')})" if said else "")
            for name, said in zip(names, advice, strict=True)
        )
        message = f"waits for {', '.join(each)}"
    return InboxNote(
        name=sidecar,
        kind="waiting",
        message=message,
        missing=names,
        nearest=dict(nearest),
        since=since,
    )


def wrong_recipe(name: str, error: NstdError) -> InboxNote:
    """The note of a recipe that is not valid."""
    message = f"is not followed, and the pictures in its folder wait: {error.message}"
    return InboxNote(name=name, kind="recipe", message=message)


def nearest_names(locator: Locator, sidecar: str, missing: Iterable[str]) -> dict[str, str]:
    """For each missing picture the existing one that was probably meant, where there is one.

    Only for the first `_NEAR` of them: each search compares all names in a folder.
    """
    found = {name: locator.nearest(sidecar, name) for name in islice(missing, _NEAR)}
    return {name: near for name, near in found.items() if near}


def unreadable(name: str, error: Exception) -> InboxNote:
    """The note of a file or folder that cannot be read."""
    return InboxNote(name=name, kind="unreadable", message=cannot_be_read(error))


def cannot_be_read(error: Exception) -> str:
    """That a file or folder cannot be read, and why."""
    why = error.message if isinstance(error, NstdError) else getattr(error, "strerror", "")
    return f"cannot be read: {why or error}"


def scan_once(config: Config) -> list[InboxNote]:
    """The notes for an inbox that no daemon watches; incomplete if there are many sidecars."""
    inbox = Folder(config.folder("inbox"))
    locator, scan, sidecars = (
        Locator(inbox, Folder(config.folder("styles"))),
        Scan(inbox),
        SidecarCache(inbox),
    )
    try:
        names, closed = scan.read()
    except OSError:
        return []  # the caller meets the same error, and reports it
    notes = [unreadable(folder, error) for folder, error in closed.items()]
    named: set[str] = set()
    until = time.monotonic() + _BUDGET
    for name in names:
        if time.monotonic() > until or len(notes) >= MOST_NOTES:
            break
        try:
            notes += _note_of(name, inbox, locator, sidecars, named)
        except (OSError, SidecarError) as error:
            notes.append(unreadable(name, error))
    else:
        notes += [*mistaken(scan.mistakes, named), *unnamed(scan.pictures, named, notes)]
    return notes[:MOST_NOTES]


def _note_of(
    name: str, inbox: Folder, locator: Locator, sidecars: SidecarCache, named: set[str]
) -> Iterator[InboxNote]:
    signature = inbox.signature(name)
    known = sidecars.get(name, signature)
    if known is None or known.error is not None:
        return  # it will be answered as a failed job
    missing = []
    for source in known.sources:
        found = locator.find(name, source)
        if found is None:
            missing.append(source)
        else:
            named.add(found.name)
    if missing:
        since = min(signature.ctime_ns / 1e9, time.time())
        yield waiting(name, missing, nearest_names(locator, name, missing), since)
