"""Reports folders that the user of a command may not read, instead of treating them as empty."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

from nstd.documents.config import Config
from nstd.errors import StoreError, printable
from nstd.system.layout import FAILED, LOG, LOGS


def check_readable(config: Config) -> None:
    """Raise StoreError `io_error` for a folder of the root that this user may not read."""
    outbox = config.folder("outbox")
    for path in (config.folder("inbox"), config.folder("work"), outbox, outbox / FAILED):
        _refuse_closed(path, list_folder)


def check_log_readable(config: Config) -> None:
    """The same for the log."""
    logs = config.folder("outbox") / LOGS
    _refuse_closed(logs, list_folder)
    _refuse_closed(logs / LOG, _open)


def _refuse_closed(path: Path, look: Callable[[Path], None]) -> None:
    """Raise StoreError if `look` is not permitted; its other errors are ignored here."""
    try:
        look(path)
    except PermissionError:
        hint = "ask as the daemon's user or a member of its group: see `nstd help service`"
        message = f"{printable(path)} is closed to {_user()}"
        raise StoreError("io_error", message, hint) from None
    except OSError:
        pass


def list_folder(path: Path) -> None:
    os.scandir(path).close()
    (path / ".").stat()  # without the right to search, only the names could be read


def _open(path: Path) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW))


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
