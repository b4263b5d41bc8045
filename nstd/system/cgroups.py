"""The control groups of this process, by both versions of the kernel's interface."""

from __future__ import annotations

from pathlib import Path

from nstd.system.mounts import unescape

_SYSTEM = Path("/")


def own_cgroups(controller: str = "", system: Path = _SYSTEM) -> list[Path]:
    """The folders of this process's group and of its parents, the inner one first.

    Of version 2; with `controller`, such as `cpu`, the groups of version 1 that it controls. Empty
    where these are not mounted. `system` is the folder with `proc` and `sys`.
    """
    own, mount = _own_path(controller, system), _mount(controller, system)
    if own is None or mount is None:
        return []
    top, point = mount
    folder = point / own.relative_to(top) if own.is_relative_to(top) else point
    return [level for level in (folder, *folder.parents) if level.is_relative_to(point)]


def _own_path(controller: str, system: Path) -> Path | None:
    """The path of this process's group, from cgroups(7): lines such as `4:cpu,cpuacct:/a/b`."""
    for line in _lines(system / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if path and controller in controllers.split(","):
            return Path(path)
    return None


def _mount(controller: str, system: Path) -> tuple[Path, Path] | None:
    """Which group is mounted, and where; in a container this is often not the top one.

    From proc_pid_mountinfo(5): `... root mount-point options [tags] - type source options`.
    """
    for line in _lines(system / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        fields, kind, options = left.split(" "), right.split(" ")[0], right.split(" ")[-1]
        wanted = "cgroup" if controller else "cgroup2"
        if kind == wanted and (not controller or controller in options.split(",")):
            return Path(unescape(fields[3])), system / unescape(fields[4]).lstrip("/")
    return None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
