"""The files of the gallery: updated from the outbox in small steps, and extended by new results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nstd.documents.config import Config
from nstd.outbox.gallery.entry import Entry, make_detail, make_entry, record_of
from nstd.outbox.gallery.page import keep_page
from nstd.outbox.gallery.shelf import PER_PAGE, Shelf
from nstd.outbox.results import list_published, read_ended
from nstd.system.durable import Files, refuse_links
from nstd.system.layout import GALLERY

_BREATH = 100
"""How many files one step checks."""


class Album:
    """`outbox/index.html` and `outbox/gallery`."""

    def __init__(self, config: Config, files: Files) -> None:
        self._outbox, self._files = config.folder("outbox"), files
        self.folder = self._outbox / GALLERY
        self.shelf = Shelf(self.folder, files)
        self._title = config.gallery.title or config.root.name
        self._found: dict[str, float] = {}

    def open(self) -> None:
        """Make the page and the folders where they do not exist. Raises OSError."""
        refuse_links(self._outbox, self.folder)
        self.shelf.make_folders(self._outbox)
        keep_page(self._outbox, self._title, self._files)

    @property
    def is_there(self) -> bool:
        """Whether the page and the folders still exist."""
        return self.shelf.is_there

    def add(self, records: list[Path]) -> None:
        """Add jobs that have just ended, if they are not in the gallery yet. Raises OSError."""
        refuse_links(self._outbox, self.folder)
        entries = []
        for path in records:
            if self._name(path) not in self._found:
                entries += self._take_in(path)
        self.shelf.append(entries)
        self.shelf.save()
        self._found = {}

    def refresh(self) -> Iterator[None]:
        """Update the whole gallery from the outbox, in small steps. Raises OSError."""
        is_known = self.shelf.load()
        self.shelf.save()  # even an empty one: the page loads it
        self._found = {}
        yield from self._look()
        wanted = dict(self._found)
        for page in self.shelf.pages:
            self._check(page, wanted)
            yield
        yield from self._take_in_all(wanted)
        if not is_known:
            yield from self._sweep()
        self.shelf.save()

    def _look(self) -> Iterator[None]:
        for number, (stamp, path) in enumerate(list_published(self._outbox)):
            self._found[self._name(path)] = stamp
            if number % _BREATH == 0:
                yield

    def _check(self, page: int, wanted: dict[str, float]) -> None:
        """Keep the entries whose records did not change, and remove them from `wanted`."""
        entries = self.shelf.read(page)
        kept = []
        for entry in entries:
            name, stamp = record_of(entry), entry.get("stamp")
            if stamp is not None and wanted.get(name) == stamp:
                if self.shelf.has_detail(entry["id"]):
                    del wanted[name]
                    kept.append(entry)
            elif name not in self._found:
                self.shelf.remove_detail(entry["id"])
        if len(kept) < len(entries) or not kept:
            self.shelf.put(page, kept)

    def _take_in_all(self, wanted: dict[str, float]) -> Iterator[None]:
        """Add the records in `wanted`, oldest first so that the pages are in order, a page per
        step."""
        entries: list[Entry] = []
        for name in sorted(wanted, key=lambda name: (wanted[name], name)):
            entries += self._take_in(self._outbox / name)
            if len(entries) >= PER_PAGE:
                self.shelf.append(entries)
                self.shelf.save()
                entries = []
            yield
        self.shelf.append(entries)

    def _take_in(self, path: Path) -> list[Entry]:
        """Write the detail of a record and return its entry; an empty list when it cannot be
        read."""
        try:
            stamp = path.stat().st_mtime
        except OSError:
            return []
        record = read_ended(path)
        if record is None:
            return []
        entry = make_entry(record, path, self._outbox, stamp)
        self.shelf.put_detail(make_detail(record, entry, path.parent))
        return [entry]

    def _sweep(self) -> Iterator[None]:
        """Remove files that belonged to a lost list."""
        for path in self.shelf.stray_pages():
            self._files.unlink(path)
            yield
        known = {entry["id"] for page in self.shelf.pages for entry in self.shelf.read(page)}
        for identity in self.shelf.details():
            if identity not in known:
                self.shelf.remove_detail(identity)
                yield

    def _name(self, path: Path) -> str:
        """The path of a record, relative to the outbox."""
        return str(path.relative_to(self._outbox))
