"""Builds the gallery at once, for `nstd gallery`; a running daemon does the same in small steps."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import NamedTuple

from nstd.documents.config import Config
from nstd.errors import StoreError, in_shell, printable
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


def _refuse_others(outbox: Path, *, rebuild: bool) -> None:
    """Refuse who is neither root nor the owner of the outbox, such as a member of its group."""
    try:
        owner = outbox.stat().st_uid
    except FileNotFoundError:
        return
    if owner in (0, os.geteuid()) or os.geteuid() == 0:
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"#{owner}"
    command = "nstd gallery --rebuild" if rebuild else "nstd gallery"
    raise StoreError(
        "io_error",
        f"no daemon runs, and {printable(outbox)} belongs to another user: {name}",
        f"start the daemon, or run it as that user: sudo -u {in_shell(name)} {command}",
    )


def build(config: Config, *, rebuild: bool) -> Built:
    """Update the gallery from the outbox; with `rebuild`, from nothing.

    If a daemon runs that keeps the gallery, the daemon does the work. Raises OSError, and
    StoreError for one who would leave files there that the daemon could not write.
    """
    work, files = config.folder("work"), Files()
    if holder(work / GALLERY_LOCK) is None:
        _refuse_others(config.folder("outbox"), rebuild=rebuild)
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
        now.write_stopped(
            {"state": "stopped", "paused": "", "starts": None, "revision": gallery.entries.revision}
        )
    finally:
        lock.release()
    return Built(page, gallery.entries.count, None)
