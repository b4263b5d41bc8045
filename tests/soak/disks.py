"""Disks that can be filled in an instant: a tmpfs on a folder, in a mount namespace of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_ROOM = "size=4g,nr_inodes=2m"
_INSIDE = "NSTD_SOAK_NAMESPACE"


def can_mount() -> bool:
    """Whether this machine gives namespaces to everybody."""
    asked = ["unshare", "-rm", "true"]
    return shutil.which("unshare") is not None and (
        subprocess.run(asked, capture_output=True).returncode == 0
    )


def enter() -> bool:
    """Become a process that may mount, started anew; False where that is not to be had."""
    if os.environ.get(_INSIDE):
        return True
    if not can_mount():
        return False
    os.environ[_INSIDE] = "yes"
    return os.execvp("unshare", ["unshare", "-rm", *sys.orig_argv])


class Disk:
    """A folder with a filesystem of its own, `mounted`, or else one that never fills."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self._folder, self.mounted = folder, mounted
        if mounted:
            _mount("-t", "tmpfs", "-o", _ROOM, "tmpfs", str(folder))

    def fill(self, *, inodes: bool) -> None:
        """Let it have no more space, or no more inodes, than it uses now."""
        while self.mounted:
            status = os.statvfs(self._folder)
            used = (status.f_blocks - status.f_bfree) * status.f_frsize
            limit = f"nr_inodes={status.f_files - status.f_ffree}" if inodes else f"size={used}"
            try:
                _mount("-o", f"remount,{limit}", str(self._folder))
            except subprocess.CalledProcessError:  # somebody wrote meanwhile
                continue
            return

    def free(self) -> None:
        """Make room again."""
        if self.mounted:
            _mount("-o", f"remount,{_ROOM}", str(self._folder))

    def take_down(self) -> None:
        """Unmount."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self._folder)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
