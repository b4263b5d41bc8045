"""Mends what a daemon could mend: the gallery, contact sheets, what a kill has left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path

from nstd.client.verify.damage import Damage
from nstd.documents.config import Config
from nstd.errors import StoreError
from nstd.intake.claim import Claims
from nstd.intake.made import Made
from nstd.logs.reader import has_ended
from nstd.outbox.gallery.build import build
from nstd.outbox.outbox import Outbox
from nstd.outbox.sheet_process import Sheet, make_command
from nstd.queue.batch import BatchPaths
from nstd.queue.store import JobStore
from nstd.system.durable import Files
from nstd.system.layout import ARCHIVE, LOCK, LOGS
from nstd.system.lock import Lock, holder
from nstd.system.nofollow import Folder, refuse_links
from nstd.system.ownership import inherit_owner


def repair_all(config: Config, damages: Sequence[Damage]) -> None:
    """Repair those that can be repaired. Raises OSError and StoreError."""
    kinds = {damage.repair for damage in damages}
    for folder in sorted({damage.unit for damage in damages if damage.repair == "sheet"}):
        _draw_sheet(config, folder)
    if "leftovers" in kinds:
        _remove_leftovers(config)
    if "gallery" in kinds:
        is_running = holder(config.folder("work") / LOCK) is not None
        build(config, rebuild=is_running)  # a daemon does it when it sees that the list is gone


def _draw_sheet(config: Config, folder: str) -> None:
    """Draw the contact sheet of a batch in the outbox. One that cannot be drawn is left missing."""
    outbox, files = config.folder("outbox"), Files()
    paths = BatchPaths(outbox / folder)
    refuse_links(outbox, paths.folder)
    files.unlink(paths.sheet)
    sheet = Sheet(paths, files, make_command(outbox, config.limits))
    while not sheet.is_done(time.monotonic()):
        wait(sheet.waitables, timeout=1.0)
    if not sheet.reason:
        _give_to_owner(paths.sheet)


def _give_to_owner(path: Path) -> None:
    with path.open("rb") as file:
        inherit_owner(file.fileno(), path.parent)


def _remove_leftovers(config: Config) -> None:
    """What a daemon does when it starts; not if one has just been started."""
    work, outbox, files = config.folder("work"), config.folder("outbox"), Files()
    lock = Lock(work / LOCK)
    with suppress(StoreError):
        lock.acquire()
        try:
            Outbox(outbox, files).clean(set())
            store, inbox = JobStore(work, files), Folder(config.folder("inbox"))
            log_has_end = partial(has_ended, outbox / LOGS)
            claims = Claims(store, inbox, files, Made(inbox, files), outbox / ARCHIVE)
            claims.undo(time.monotonic(), log_has_end)
        finally:
            lock.release()
