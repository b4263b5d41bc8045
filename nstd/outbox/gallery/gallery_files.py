"""The files of the gallery: updated from the outbox in small steps, and extended by new results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nstd.documents.config import Config
from nstd.outbox.gallery.entry import Entry, make_detail, make_entry, record_of
from nstd.outbox.gallery.entry_store import PER_PAGE, EntryStore
from nstd.outbox.gallery.page import keep_page
from nstd.outbox.results import list_published, read_ended
from nstd.system.durable import Files
from nstd.system.layout import GALLERY
from nstd.system.nofollow import refuse_links

_FILES_PER_STEP = 100
"""How many files one step checks."""


class GalleryFiles:
    """`outbox/index.html` and `outbox/gallery`."""

    def __init__(self, config: Config, files: Files) -> None:
        self._outbox, self._files = config.folder("outbox"), files
        self.folder = self._outbox / GALLERY
        self.entries = EntryStore(self.folder, files)
        self._title = config.gallery.title or config.root.name
        self._found: dict[str, float] = {}

    def open(self) -> None:
        """Make the page and the folders where they do not exist. Raises OSError."""
        refuse_links(self._outbox, self.folder)
        self.entries.make_folders(self._outbox)
        keep_page(self._outbox, self._title, self._files)

    @property
    def is_there(self) -> bool:
        """Whether the page and the folders still exist."""
        return self.entries.is_there

    def add(self, records: list[Path]) -> None:
        """Add jobs that have just ended, if they are not in the gallery yet. Raises OSError."""
        refuse_links(self._outbox, self.folder)
        entries = []
        for path in records:
            if self._name(path) not in self._found:
                entries += self._take_in(path)
        self.entries.append(entries)
        self.entries.save()
        self._found = {}

    def refresh(self) -> Iterator[None]:
        """Update the whole gallery from the outbox, in small steps. Raises OSError."""
        is_known = self.entries.load()
        self.entries.save()  # even an empty one: the page loads it
        self._found = {}
        yield from self._scan()
        wanted = dict(self._found)
        for page in self.entries.pages:
            self._check(page, wanted)
            yield
        yield from self._take_in_all(wanted)
        if not is_known:
            yield from self._remove_strays()
        self.entries.save()

    def _scan(self) -> Iterator[None]:
        for number, (stamp, path) in enumerate(list_published(self._outbox)):
            self._found[self._name(path)] = stamp
            if number % _FILES_PER_STEP == 0:
                yield

    def _check(self, page: int, wanted: dict[str, float]) -> None:
        """Keep the entries whose records did not change, and remove them from `wanted`."""
        entries = self.entries.read(page)
        kept = []
        for entry in entries:
            name, stamp = record_of(entry), entry.get("stamp")
            if stamp is not None and wanted.get(name) == stamp:
                if self.entries.has_detail(entry["id"]):
                    del wanted[name]
                    kept.append(entry)
            elif name not in self._found:
                self.entries.remove_detail(entry["id"])
        if len(kept) < len(entries) or not kept:
            self.entries.put(page, kept)

    def _take_in_all(self, wanted: dict[str, float]) -> Iterator[None]:
        """Add the records in `wanted`, oldest first so that the pages are in order, a page per
        step."""
        entries: list[Entry] = []
        for name in sorted(wanted, key=lambda name: (wanted[name], name)):
            entries += self._take_in(self._outbox / name)
            if len(entries) >= PER_PAGE:
                self.entries.append(entries)
                self.entries.save()
                entries = []
            yield
        self.entries.append(entries)

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
        self.entries.put_detail(make_detail(record, entry, path.parent))
        return [entry]

    def _remove_strays(self) -> Iterator[None]:
        """Remove files that belonged to a lost list."""
        for path in self.entries.stray_pages():
            self._files.unlink(path)
            yield
        known = {entry["id"] for page in self.entries.pages for entry in self.entries.read(page)}
        for identity in self.entries.details():
            if identity not in known:
                self.entries.remove_detail(identity)
                yield

    def _name(self, path: Path) -> str:
        """The path of a record, relative to the outbox."""
        return str(path.relative_to(self._outbox))
