"""Holds the entries of the gallery against the records that they were made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from nstd.client.verify.damage import Damage
from nstd.errors import printable
from nstd.outbox.gallery.entry import Entry, record_of
from nstd.outbox.gallery.entry_store import EntryStore
from nstd.outbox.results import read_ended
from nstd.system.durable import Files
from nstd.system.layout import GALLERY

_HINT = "`nstd verify --repair` or `nstd gallery` brings it up to date"
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
            yield from _check_entry(store, entry, left, until)
    for name, changed in left.items():
        if changed < until and read_ended(outbox / name) is not None:
            yield _damage("entry_missing", name, "is not in the gallery", _HINT)


def _check_entry(
    store: EntryStore, entry: Entry, left: dict[str, float], until: float
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


def _damage(kind: str, name: str, message: str, hint: str) -> Damage:
    place = f"{GALLERY}/{name}" if kind == "gallery" else name
    return Damage(kind, printable(place), message, hint, "gallery", unit=GALLERY)
