"""The gallery made at once, for a command: a daemon that runs does the same little by little."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nstd.documents.config import Config
from nstd.errors import StoreError
from nstd.outbox.gallery.album import Album
from nstd.outbox.gallery.now import Now
from nstd.system.durable import Files
from nstd.system.layout import GALLERY_LOCK, PAGE
from nstd.system.lock import Lock, holder


class Built(NamedTuple):
    """Where the page is; how much it shows, unless the daemon `pid` sees to that."""

    page: Path
    entries: int
    pid: int | None


def build(config: Config, *, rebuild: bool) -> Built:
    """Bring the gallery into line with the outbox; `rebuild` trusts nothing that is there.

    Where a daemon keeps it, that one does the work. Raises OSError.
    """
    work, files = config.folder("work"), Files()
    for folder in (work, config.folder("outbox")):
        files.make_folder(folder)
    page, album = config.folder("outbox") / PAGE, Album(config, files)
    if rebuild:
        files.unlink(album.shelf.path)  # a daemon sees this, and begins anew
    lock = Lock(work / GALLERY_LOCK)
    try:
        lock.acquire()
    except StoreError:
        return Built(page, album.shelf.count, holder(lock.path))
    try:
        album.open()
        now = Now(album.folder, work, files)
        now.open(config.folder("outbox"))
        for _ in album.refresh():
            pass
        now.rest({"state": "stopped", "paused": "", "revision": album.shelf.revision})
    finally:
        lock.release()
    return Built(page, album.shelf.count, None)
