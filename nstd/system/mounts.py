"""The filesystem of a path, and whether the kernel may miss changes on it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_MOUNTINFO = Path("/proc/self/mountinfo")
_NETWORK = {
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "gfs2", "glusterfs",
    "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2",
    "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
}  # fmt: skip


class Mount(NamedTuple):
    """A filesystem's type, such as `ext4`, and where it is mounted."""

    fstype: str
    point: Path


def filesystem_of(path: Path) -> Mount:
    """The mount of `path`, which may not exist yet; its type is `unknown` if it cannot be found."""
    real = Path(os.path.realpath(path))
    found = Mount("unknown", Path("/"))
    for mount in _mounts():
        # A later mount over the same point hides the earlier one.
        if real.is_relative_to(mount.point) and len(mount.point.parts) >= len(found.point.parts):
            found = mount
    return found


def is_network(fstype: str) -> bool:
    """Whether others can change such a filesystem without a kernel event on this machine.

    True for network shares, shared folders of a virtual machine's host, and FUSE filesystems, whose
    storage the kernel does not see.
    """
    return fstype in _NETWORK or fstype.startswith("fuse.")


def _mounts() -> list[Mount]:
    """The lines of proc(5)'s mountinfo: `... mount-point options [tags] - type source options`."""
    try:
        lines = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    mounts = []
    for line in lines:
        left, separator, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")
        if separator and len(fields) > 5:
            mounts.append(Mount(kind[0], Path(unescape(fields[4]))))
    return mounts


def unescape(text: str) -> str:
    """Decode spaces, tabs, newlines and backslashes, which are written in octal: `\\040`."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
