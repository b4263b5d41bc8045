"""Filesystems, read from the kernel and from tables of other machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from nstd.system import mounts
from nstd.system.mounts import filesystem_of, is_network

TABLE = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:50 / /srv/scans rw,relatime shared:7 master:1 - nfs4 nas:/scans rw
41 27 0:51 / /srv/two\040words rw - cifs //nas/x rw
42 27 0:52 / /srv/twice rw - tmpfs tmpfs rw
43 27 0:53 / /srv/twice rw - fuse.sshfs host: rw
broken line
"""


def test_this_machine_says_what_its_proc_is() -> None:
    """The live table is read."""
    assert filesystem_of(Path("/proc/self")) == ("proc", Path("/proc"))


@pytest.mark.parametrize(
    ("path", "fstype", "point"),
    [
        ("/srv/scans/inbox", "nfs4", "/srv/scans"),
        ("/srv/scans", "nfs4", "/srv/scans"),
        ("/srv/scans2", "ext4", "/"),  # a longer name, not a folder of the mount
        ("/srv/two words/a", "cifs", "/srv/two words"),
        ("/srv/twice/a", "fuse.sshfs", "/srv/twice"),  # the later mount hides the earlier
        ("/not/there/yet", "ext4", "/"),
    ],
)
def test_the_deepest_and_latest_mount_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, fstype: str, point: str
) -> None:
    """As the kernel resolves a path."""
    table = tmp_path / "mountinfo"
    table.write_text(TABLE.strip())
    monkeypatch.setattr(mounts, "_MOUNTINFO", table)
    assert filesystem_of(Path(path)) == (fstype, Path(point))


def test_a_link_counts_as_where_it_leads(tmp_path: Path) -> None:
    """An inbox may be a link to a share."""
    link = tmp_path / "link"
    link.symlink_to("/proc/self")
    assert filesystem_of(link).fstype == "proc"


def test_no_table_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc the type is unknown, which is taken for local."""
    monkeypatch.setattr(mounts, "_MOUNTINFO", tmp_path / "absent")
    assert filesystem_of(tmp_path).fstype == "unknown"
    assert not is_network("unknown")


def test_shares_and_user_space_filesystems_are_told_from_disks() -> None:
    """The first need polling: nobody tells this kernel what others write there."""
    for fstype in ("nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse.sshfs", "fuse.rclone"):
        assert is_network(fstype), fstype
    for fstype in ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "vfat"):
        assert not is_network(fstype), fstype
