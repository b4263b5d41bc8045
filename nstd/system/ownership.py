"""The owner of new files, when root makes them for the daemon."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def inherit_owner(fd: int, folder: Path) -> None:
    """Give a new file or folder the owner of the folder that contains it, if this process is root.

    Without this, the daemon could not write the files that `sudo nstd` has made. An error is
    ignored.
    """
    if os.geteuid() == 0:
        with suppress(OSError):
            owner = folder.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)


def inherit_folder_owner(folder: Path) -> None:
    """The same for a folder that was just made. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        inherit_owner(fd, folder.parent)
    finally:
        os.close(fd)
