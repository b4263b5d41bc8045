"""One sweep: finish what an earlier one has left, then take out what is due, unit by unit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nstd.documents.retention import RetentionSettings
from nstd.outbox.expiry.due import DueUnit, find_due, is_still_due
from nstd.outbox.expiry.removal import Removal
from nstd.system.durable import Files
from nstd.system.layout import EXPIRY_LOCK
from nstd.system.lock import Lock


def sweep(
    outbox: Path,
    work: Path,
    retention: RetentionSettings,
    files: Files,
    now: float,
    tell: Callable[[DueUnit], None],
) -> None:
    """Take out all units that are due at `now`; `tell` is called after each, and may wait.

    `move_to` of `retention` is an absolute path.

    Raises StoreError `already_running` while another sweep runs on this outbox, and OSError.
    """
    lock = Lock(work / EXPIRY_LOCK)
    lock.acquire()
    try:
        removal = Removal(outbox, retention.move_to, files)
        removal.open()
        for unit in find_due(outbox, work, retention, now):
            if unit.kept or not is_still_due(outbox, work, unit):
                continue
            if removal.take(unit.path):
                tell(unit)
        removal.close()
    finally:
        lock.release()
