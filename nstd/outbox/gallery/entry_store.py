"""The entries on disk, in pages of some hundred; only pages that change are written."""

from __future__ import annotations

import json
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from nstd.outbox.gallery.entry import Entry
from nstd.outbox.gallery.script import arguments, script
from nstd.system.durable import Files

PER_PAGE = 250
_IDENTITY = re.compile("[0-9a-z-]{1,40}")
"""Valid ids. File names are made from ids, and records in the outbox may be changed by hand."""
_FORMAT = 1
"""The format of entries and details; files in another format are made again."""


class EntryStore:
    """`list.js`, `pages/` and `jobs/`; the list and the last page are also kept in memory."""

    def __init__(self, folder: Path, files: Files) -> None:
        self.path, self._pages, self._jobs = folder / "list.js", folder / "pages", folder / "jobs"
        self._files = files
        self._known: dict[int, tuple[int, str]] = {}  # entries and revision of each page, by number
        self._last: tuple[int, list[Entry]] | None = None
        self._is_changed = False
        self.revision = ""
        """Changes whenever the list does."""

    @property
    def is_there(self) -> bool:
        """Whether the list and the folders still exist."""
        return self.path.exists()

    def load(self) -> bool:
        """Read the list; False when there is no usable list."""
        self._known, self._last, self._is_changed = {}, None, True
        self.revision = ""
        try:
            (index,) = arguments(self.path, "nstd.list")
            if index["format"] != _FORMAT:
                return False
            revision = str(index["revision"])
            pages = [
                (int(page["n"]), int(page["count"]), str(page["rev"])) for page in index["pages"]
            ]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        self._known = {n: (count, rev) for n, count, rev in pages}
        self._is_changed, self.revision = False, revision
        return True

    def make_folders(self, below: Path) -> None:
        """Make the folders without following a link below the folder `below`. Raises OSError."""
        for folder in (self._pages, self._jobs):
            self._files.make_folder(folder, below=below)

    @property
    def pages(self) -> list[int]:
        """The numbers of the pages, the oldest first."""
        return list(self._known)

    @property
    def count(self) -> int:
        """How many entries there are."""
        return sum(count for count, _ in self._known.values())

    def read(self, page: int) -> list[Entry]:
        """The entries of a page; an empty list when it cannot be read."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            _, entries = arguments(self._page(page), "nstd.page")
            return [entry for entry in entries if _IDENTITY.fullmatch(entry["id"])]
        return []

    def put(self, page: int, entries: list[Entry]) -> None:
        """Replace a page; a page without entries is removed. Raises OSError."""
        self._is_changed = True
        if self._last is not None and self._last[0] == page:
            self._last = None
        if not entries:
            self._known.pop(page, None)
            self._files.unlink(self._page(page))
            return
        data = script("nstd.page", page, entries)
        self._files.write(self._page(page), data, durable=False)
        self._known[page] = len(entries), f"{zlib.crc32(data):08x}"

    def append(self, entries: list[Entry]) -> None:
        """Append entries to the last page. Raises OSError."""
        while entries:
            page, found = self._page_with_room()
            room = PER_PAGE - len(found)
            found, entries = found + entries[:room], entries[room:]
            self.put(page, found)
            self._last = page, found

    def _page_with_room(self) -> tuple[int, list[Entry]]:
        """The number of the page that has room, and its entries."""
        if self._last is None and self._known:
            page = max(self._known)
            self._last = page, self.read(page)
        page, found = self._last or (1, [])
        return (page + 1, []) if len(found) >= PER_PAGE else (page, found)

    def save(self) -> None:
        """Write the list, if anything has changed. Raises OSError."""
        if not self._is_changed:
            return
        pages = [{"n": n, "count": count, "rev": rev} for n, (count, rev) in self._known.items()]
        index = {"format": _FORMAT, "total": self.count, "pages": pages}
        revision = f"{zlib.crc32(json.dumps(index).encode()):08x}"
        data = script("nstd.list", index | {"revision": revision})
        self._files.write(self.path, data, durable=False)
        self.revision, self._is_changed = revision, False

    # Details

    def put_detail(self, detail: dict[str, Any]) -> None:
        """Write the detail of a job. Raises OSError."""
        self._files.write(self._detail(detail["id"]), script("nstd.job", detail), durable=False)

    def has_detail(self, identity: str) -> bool:
        """Whether the detail exists; an empty file, left by a power cut, does not count."""
        with suppress(OSError):
            return self._detail(identity).stat().st_size > 0
        return False

    def remove_detail(self, identity: str) -> None:
        """Remove the detail of a job. Raises OSError."""
        self._files.unlink(self._detail(identity))

    def details(self) -> list[str]:
        """The ids of the jobs that have a detail."""
        return [path.stem for path in self._jobs.glob("*.js")]

    def stray_pages(self) -> list[Path]:
        """Files of pages that are not in the list."""
        named = {self._page(page) for page in self._known}
        return [path for path in self._pages.glob("*.js") if path not in named]

    def _page(self, page: int) -> Path:
        return self._pages / f"{page}.js"

    def _detail(self, identity: str) -> Path:
        return self._jobs / f"{identity}.js"
