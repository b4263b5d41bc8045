"""Reports what a command cannot read, such as a closed folder, instead of treating it as empty."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

from nstd.documents.config import Config
from nstd.errors import StoreError, printable
from nstd.system.layout import FAILED, LOG, LOGS

_OF_ANOTHER_KIND = {errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


def check_readable(config: Config) -> None:
    """Raise StoreError `io_error` for a folder of the root that this user cannot read."""
    outbox = config.folder("outbox")
    for path in (config.folder("inbox"), config.folder("work"), outbox, outbox / FAILED):
        _refuse_closed(path, list_folder)


def check_log_readable(config: Config) -> None:
    """The same for the log."""
    logs = config.folder("outbox") / LOGS
    for path in (config.folder("outbox"), logs):
        _refuse_closed(path, list_folder)
    _refuse_closed(logs / LOG, _open)


def _refuse_closed(path: Path, look: Callable[[Path], None]) -> None:
    """Raise StoreError if `look` is not permitted, or if `path` is no such thing; its other errors
    are ignored here."""
    try:
        look(path)
    except PermissionError:
        hint = "ask as the daemon's user or a member of its group: see `nstd help service`"
        message = f"{printable(path)} is closed to {_user()}"
        raise StoreError("io_error", message, hint) from None
    except OSError as error:
        if error.errno in _OF_ANOTHER_KIND:
            message = f"{printable(path)} cannot be read: it is {kind_of(path.lstat().st_mode)}"
            raise StoreError("io_error", message, "`nstd doctor` says what to do") from None


def list_folder(path: Path) -> None:
    os.scandir(path).close()
    (path / ".").stat()  # without the right to search, only the names could be read


def _open(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    finally:
        os.close(fd)


def kind_of(mode: int) -> str:
    """What a file of this mode is, in words."""
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a file" if stat.S_ISREG(mode) else "neither a file nor a folder"


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
