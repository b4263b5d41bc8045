"""Holds the entries of the gallery against the records that they were made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from nstd.client.verify.damage import Damage
from nstd.errors import printable
from nstd.outbox.gallery.entry import Entry, record_of
from nstd.outbox.gallery.entry_store import EntryStore
from nstd.outbox.results import read_ended
from nstd.system.durable import Files
from nstd.system.layout import GALLERY, PREVIEW

_HINT = "`nstd verify --repair` or `nstd gallery` brings it up to date"
_VIEW = "`nstd gallery --rebuild` goes without them; `nstd again` makes the result once more, whole"
_ANEW = "`nstd verify --repair` or `nstd gallery --rebuild` makes it anew"


def check_gallery(outbox: Path, records: Mapping[str, float], until: float) -> Iterator[Damage]:
    """What is wrong with the gallery; `records` has the time of each record, by its name.

    Records that changed after the time `until` may not have been taken in yet.
    """
    folder = outbox / GALLERY
    if folder.is_symlink():
        yield Damage(
            "link", GALLERY, "the gallery's folder is a link; it is not followed", "remove it"
        )
        return
    store, left = EntryStore(folder, Files()), dict(records)
    if not store.load():
        if records:
            yield _damage("gallery", "list.js", "the list of results is missing or torn", _ANEW)
        return
    for page in store.pages:
        entries = store.read(page)
        if not entries:
            yield _damage("gallery", f"pages/{page}.js", "is missing or torn", _ANEW)
        for entry in entries:
            yield from _check_entry(outbox, store, entry, left, until)
    for name, changed in left.items():
        if changed < until and read_ended(outbox / name) is not None:
            yield _damage("entry_missing", name, "is not in the gallery", _HINT)


def _check_entry(
    outbox: Path, store: EntryStore, entry: Entry, left: dict[str, float], until: float
) -> Iterator[Damage]:
    """Hold one entry against its record, which is removed from `left`."""
    name = record_of(entry)
    changed = left.pop(name, None)
    if changed is None:
        yield _damage("entry_stray", name, "is in the gallery, but not in the outbox", _HINT)
    elif changed < until and entry.get("stamp") != changed:
        yield _damage("entry_stale", name, "has changed since the gallery was made", _HINT)
    elif not store.has_detail(entry["id"]):
        yield _damage("gallery", f"jobs/{entry['id']}.js", "is missing", _HINT)
    else:
        yield from _check_views(outbox, name, entry)


def _check_views(outbox: Path, name: str, entry: Entry) -> Iterator[Damage]:
    """The small pictures that the entry of the record `name` shows."""
    place = PurePosixPath(name).parent / PREVIEW
    folder = outbox / place
    gone = [view for view in entry.get("views", ()) if not (folder / f"{view}.webp").is_file()]
    if gone:
        said = f"lacks {', '.join(f'{view}.webp' for view in gone)}, which the gallery shows"
        yield Damage("view_missing", printable(place), said, _VIEW, unit=GALLERY)


def _damage(kind: str, name: str, message: str, hint: str) -> Damage:
    place = f"{GALLERY}/{name}" if kind == "gallery" else name
    return Damage(kind, printable(place), message, hint, "gallery", unit=GALLERY)
