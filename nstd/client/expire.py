"""Lists what is due to go from the outbox, and lets it go at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from nstd.documents.config import Config
from nstd.documents.retention import RetentionSettings
from nstd.errors import StoreError, printable
from nstd.outbox.expiry import DueUnit, find_due, sweep
from nstd.outbox.gallery.build import build
from nstd.system.durable import Files
from nstd.system.layout import LOCK
from nstd.system.lock import holder


def list_due(config: Config) -> list[DueUnit]:
    """What is due now, and what would be if it were not `kept`; the oldest first."""
    outbox, work = config.folder("outbox"), config.folder("work")
    return find_due(outbox, work, config.retention, time.time())


def expire(config: Config, tell: Callable[[DueUnit], None]) -> None:
    """Let it go; `tell` is called after each. The gallery follows: without a daemon at once.

    Raises OSError, and StoreError while the daemon does the same.
    """
    outbox, work, files = config.folder("outbox"), config.folder("work"), Files()
    try:
        sweep(outbox, work, _absolute(config), files, time.time(), tell)
    except StoreError as error:
        if error.code != "already_running":
            raise
        said = f"a sweep of {printable(outbox)} is in progress"
        hint = "it takes out the same; `nstd logs` tells what"
        raise StoreError("already_running", said, hint) from None
    if config.gallery.enabled and holder(work / LOCK) is None:
        build(config, rebuild=False)


def _absolute(config: Config) -> RetentionSettings:
    return config.retention.model_copy(update={"move_to": config.move_to})
