"""Builds the gallery at once, for `nstd gallery`; a running daemon does the same in small steps."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nstd.documents.config import Config
from nstd.errors import StoreError
from nstd.outbox.gallery.gallery_files import GalleryFiles
from nstd.outbox.gallery.now import Now
from nstd.system.durable import Files
from nstd.system.layout import GALLERY_LOCK, PAGE
from nstd.system.lock import Lock, holder


class Built(NamedTuple):
    """The path of the page, and the number of its entries, unless the daemon `pid` updates it."""

    page: Path
    entries: int
    pid: int | None


def build(config: Config, *, rebuild: bool) -> Built:
    """Update the gallery from the outbox; with `rebuild`, from nothing.

    If a daemon runs that keeps the gallery, the daemon does the work. Raises OSError.
    """
    work, files = config.folder("work"), Files()
    for folder in (work, config.folder("outbox")):
        files.make_folder(folder)
    page, gallery = config.folder("outbox") / PAGE, GalleryFiles(config, files)
    if rebuild:
        files.unlink(gallery.entries.path)  # the daemon notices this and starts again
    lock = Lock(work / GALLERY_LOCK)
    try:
        lock.acquire()
    except StoreError:
        return Built(page, gallery.entries.count, holder(lock.path))
    try:
        gallery.open()
        now = Now(gallery.folder, work, files)
        now.open(config.folder("outbox"))
        for _ in gallery.refresh():
            pass
        now.write_stopped({"state": "stopped", "paused": "", "revision": gallery.entries.revision})
    finally:
        lock.release()
    return Built(page, gallery.entries.count, None)
