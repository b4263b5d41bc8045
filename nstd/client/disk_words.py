"""What is said about an error of a disk, and what to do then."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from nstd.errors import in_shell, printable
from nstd.system.mounts import filesystem_of
from nstd.system.units import format_size

_BROKEN = {errno.EIO, errno.ENODEV, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN}


def explain_disk(error: OSError, folder: Path) -> tuple[str, str]:
    """What is wrong with the disk of `folder`, and what to do; no hint if the cause is another."""
    point = filesystem_of(folder).point
    if error.errno == errno.ENOSPC:
        return _full(folder, point)
    if error.errno == errno.EDQUOT:
        message = f"the quota of this user on {printable(point)} is used up"
        return message, "remove files of this user there, or have the quota raised"
    if error.errno == errno.EROFS:
        hint = f"run: sudo mount -o remount,rw {in_shell(point)}; `dmesg` may say what made it so"
        return f"{printable(point)} is mounted read-only", hint
    said = error.strerror or str(error)
    if error.errno in _BROKEN:
        hint = "check the disk or the network mount; `dmesg` may say more"
        return f"{said} (the disk at {printable(point)})", hint
    return said, ""


def _full(folder: Path, point: Path) -> tuple[str, str]:
    """A disk takes no more bytes, or no more files."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    disk = os.statvfs(there)
    if disk.f_files and not disk.f_favail:
        message = f"the disk at {printable(point)} takes no more files: it has {disk.f_files}"
    else:
        free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        message = f"the disk at {printable(point)} is full: {format_size(free)} of "
        message += f"{format_size(size)} are free"
    hint = "remove or move files that are not needed, such as old results in the outbox; "
    return message, f"{hint}the daemon goes on by itself then"
