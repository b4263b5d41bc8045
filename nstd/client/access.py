"""Checks for `nstd doctor` of the files and folders inside a root that the daemon must write.

The usual cause of a failure is a command that was run as root: what it made belongs to root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nstd.client.finding import Finding
from nstd.client.readable import kind_of
from nstd.documents.config import Config
from nstd.errors import in_shell, printable
from nstd.intake.names import is_ignored
from nstd.system import layout

_FOLDERS: dict[str, tuple[str, ...]] = {
    "inbox": (layout.CLAIMS,),
    "work": (layout.NEW, layout.BATCHES, layout.REQUESTS, layout.WORKERS, layout.CACHE),
    "outbox": (layout.LOGS, layout.FAILED, layout.ARCHIVE, layout.GALLERY, layout.STAGING),
}
_FILES: dict[str, tuple[str, ...]] = {
    "work": (layout.LOCK, layout.HEALTH, layout.GALLERY_LOCK),
    "outbox": (f"{layout.LOGS}/{layout.LOG}", layout.PAGE),
}
_OPEN = ("inbox", "outbox")
"""Folders that other people may write to: nstd follows no link in them."""


def check_access(config: Config) -> Iterator[Finding]:
    """A failure for each file or folder that the daemon's user cannot write; else one `ok`.

    Who cannot write the work folder does not run the daemon: then this asks for its owner, whom the
    daemon mostly runs as; so it does for root.
    """
    user = daemon_user(config.folder("work"))
    findings = [*_misplaced(config), *_closed(config, user)]
    findings += _sticky(config.folder("inbox"), user)
    yield from findings
    if not findings:
        yield Finding("ok", "access", f"{user_name(user)} can write all that lies in the folders")


def daemon_user(work: Path) -> int:
    """The user that the daemon runs as. Raises OSError."""
    is_ours = os.getuid() != 0 and os.access(work, os.W_OK)
    return os.getuid() if is_ours else work.stat().st_uid


def is_of_the_group(folder: Path) -> bool:
    """Whether the folder is another account's, and we are in its group: then we may look on."""
    status = folder.stat()
    is_another = status.st_uid not in (0, os.getuid())
    return is_another and status.st_gid in (os.getgid(), *os.getgroups())


def _own(
    config: Config, kinds: dict[str, tuple[str, ...]]
) -> Iterator[tuple[str, Path, os.stat_result]]:
    """The files or folders of nstd's own that exist, each with the name of the folder it is in."""
    for name, inner in kinds.items():
        for path in (config.folder(name) / each for each in inner):
            with suppress(FileNotFoundError, NotADirectoryError):
                yield name, path, path.lstat()


def _misplaced(config: Config) -> Iterator[Finding]:
    """A failure for each file where nstd needs a folder, and the other way round."""
    for kinds, wanted in ((_FOLDERS, stat.S_ISDIR), (_FILES, stat.S_ISREG)):
        for name, path, status in _own(config, kinds):
            may_be_link = name not in _OPEN and path.exists()
            mode = (path.stat() if may_be_link else status).st_mode
            if not wanted(mode):
                needed = "folder" if wanted is stat.S_ISDIR else "regular file"
                message = f"{printable(path)} is {kind_of(mode)}, and nstd needs a {needed} there"
                away = f"mv {in_shell(path)} {in_shell(f'{path}.old')}"
                yield Finding("fail", "access", message, f"run: {away}; nstd makes it anew")


def _closed(config: Config, user: int) -> Iterator[Finding]:
    """Every file and folder of nstd's own that exists and cannot be written."""
    for _, path, status in (*_own(config, _FOLDERS), *_own(config, _FILES)):
        if not may_write(path, status, user):
            owner, who = user_name(status.st_uid), user_name(user)
            message = f"{printable(path)} belongs to {owner}, and {who} "
            hint = f"run: sudo chown -R {_account(user)} {in_shell(path)}"
            yield Finding("fail", "access", f"{message}cannot write it", hint)


def may_write(path: Path, status: os.stat_result, user: int) -> bool:
    """Whether `user` may write `path`; for our own user, the kernel is asked."""
    if user == 0:
        return True
    if user == os.getuid():
        return os.access(path, os.W_OK)
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid == user:
        return bool(mode & stat.S_IWUSR)
    return bool(mode & (stat.S_IWGRP if status.st_gid in _groups(user) else stat.S_IWOTH))


def _groups(user: int) -> list[int]:
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return []
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def _sticky(inbox: Path, user: int) -> Iterator[Finding]:
    """A failure for each sticky folder of the inbox: `user` cannot move files of others from it."""
    for folder, inner, _ in os.walk(inbox):
        inner[:] = [name for name in inner if not is_ignored(name)]
        status = Path(folder).stat()
        if status.st_mode & stat.S_ISVTX and user not in (0, status.st_uid):
            message = (
                f"{printable(folder)} is sticky and belongs to {user_name(status.st_uid)}: "
                f"{user_name(user)} cannot take the sidecars of others out of it"
            )
            place = in_shell(folder)
            hint = f"run: sudo chmod -t {place}, or: sudo chown {_account(user)} {place}"
            yield Finding("fail", "access", message, hint)


def user_name(user: int) -> str:
    """The account of a user, or its number."""
    account = _account(user)
    return f"user {account}" if account.isdecimal() else account


def _account(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def check_instances(allowed: int | None) -> Iterator[Finding]:
    """A warning when this user cannot make another inotify instance; `allowed` is the limit."""
    descriptor = ctypes.CDLL(None, use_errno=True).inotify_init1(os.O_CLOEXEC)
    if descriptor >= 0:
        os.close(descriptor)
        return
    number = ctypes.get_errno()
    if number == errno.EMFILE:
        message = f"all of the {allowed} watchers that the kernel allows this user are taken"
        hint = f"raise it: sysctl fs.inotify.max_user_instances={max(128, 2 * (allowed or 0))}"
        yield Finding("warn", "watch", message, f"{hint}; or write `watch: {{mode: poll}}`")
