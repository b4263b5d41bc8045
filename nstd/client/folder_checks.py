"""The checks of `nstd doctor` about folders: access, free space, and kernel events."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nstd.client.access import check_access, check_instances, is_of_the_group, user_name
from nstd.client.disk_words import explain_disk
from nstd.client.finding import Finding
from nstd.documents.config import Config
from nstd.errors import in_shell
from nstd.system.mounts import filesystem_of, is_network
from nstd.system.units import counted, format_size

_INOTIFY = Path("/proc/sys/fs/inotify")
_WRITTEN = ("inbox", "work", "outbox")  # sidecars are taken out of the inbox by a rename


def folders(config: Config) -> Iterator[Finding]:
    """Whether each folder exists and can be used, and whether they share one filesystem."""
    for name in type(config.folders).model_fields:
        yield _folder(name, config.folder(name), is_written=name in _WRITTEN)
    if config.move_to is not None:
        yield _folder("move_to", config.move_to, is_written=True)
    mounts = {filesystem_of(config.folder(name)).point for name in _WRITTEN}
    if len(mounts) == 1:
        yield Finding("ok", "folders", "inbox, work and outbox share one filesystem")
    else:
        message = "inbox, work and outbox lie on different filesystems: files are copied"
        yield Finding("ok", "folders", message)


def _folder(name: str, path: Path, *, is_written: bool) -> Finding:
    mount = filesystem_of(path)
    where = f"{path} ({mount.fstype} at {mount.point})"
    if not path.is_dir():
        make = f"mkdir -p {in_shell(path)}"
        if not os.path.lexists(path):
            first = "mount it" if name == "move_to" else "make it: `nstd init`"
            return Finding("fail", name, f"{path} is not there", f"{first}, or {make}")
        away = f"mv {in_shell(path)} {in_shell(f'{path}.old')}"
        return Finding("fail", name, f"{path} is no folder", f"run: {away} && {make}")
    try:
        if is_written:
            _try_writing(path)
        else:
            next(path.iterdir(), None)
    except OSError as error:
        if isinstance(error, PermissionError) and is_of_the_group(path):
            message = f"{where}: written by {user_name(path.stat().st_uid)} alone"
            return Finding("ok", name, f"{message}; you are {user_name(os.getuid())}, of its group")
        said, disk_hint = explain_disk(error, path)
        wanted = "read and write" if is_written else "read"
        hint = f"let the daemon's user {wanted} it; you are user {os.getuid()} now"
        return Finding("fail", name, f"{where}: {said}", disk_hint or hint)
    return Finding("ok", name, where)


def _try_writing(folder: Path) -> None:
    """Write, sync, rename and remove a hidden file in `folder`. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".nstd-doctor-") as file:
        file.write(b"nstd")
        file.flush()
        os.fsync(file.fileno())
        moved = Path(file.name).rename(file.name + ".moved")
        moved.rename(file.name)


def access(config: Config) -> Iterator[Finding]:
    """Whether the daemon can write the files that lie in the folders."""
    if all(config.folder(name).is_dir() for name in _WRITTEN):
        yield from check_access(config)


def space(config: Config) -> Iterator[Finding]:
    """Whether each disk has the free space that the config demands."""
    needed = config.limits.min_free
    seen = set()
    for name in _WRITTEN:
        mount = filesystem_of(config.folder(name))
        if mount in seen or not config.folder(name).is_dir():
            continue
        seen.add(mount)
        free = shutil.disk_usage(config.folder(name)).free
        message = f"{format_size(free)} free for {name} on {mount.point}"
        if free >= needed:
            yield Finding("ok", "space", message)
        else:
            hint = "free some space, or lower limits.min_free; until then no job is claimed"
            yield Finding("fail", "space", f"{message}, less than {format_size(needed)}", hint)


def watching(config: Config) -> Iterator[Finding]:
    """Whether the kernel reports events of the inbox, and whether its limits are high enough."""
    inbox = config.folder("inbox")
    mount = filesystem_of(inbox)
    if config.watch.mode == "poll" or (config.watch.mode == "auto" and is_network(mount.fstype)):
        yield Finding("ok", "watch", f"{inbox} is read every {config.watch.poll:g} s")
        return
    if is_network(mount.fstype):
        message = f"{inbox} lies on {mount.fstype}, where other machines' files make no events"
        yield Finding("warn", "watch", message, "write `watch: {mode: auto}`")
        return
    limit = _number(_INOTIFY / "max_user_watches")
    count = sum(1 for _ in os.walk(inbox))
    message = (
        f"{counted(count, 'inbox folder')} to watch; the kernel allows this user {limit} watches"
    )
    if limit is None:
        yield Finding(
            "warn", "watch", "this kernel offers no events", "write `watch: {mode: poll}`"
        )
    elif count > limit // 2:
        hint = f"raise it: sysctl fs.inotify.max_user_watches={max(4 * count, 2 * limit)}"
        yield Finding("warn", "watch", message, f"{hint}; or write `watch: {{mode: poll}}`")
    else:
        yield Finding("ok", "watch", message)
    instances = _number(_INOTIFY / "max_user_instances")
    yield from check_instances(instances)
    if instances is not None and instances < 8:
        hint = "raise it: sysctl fs.inotify.max_user_instances=128"
        yield Finding("warn", "watch", f"this user may make {counted(instances, 'watcher')}", hint)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
