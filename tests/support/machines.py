"""Machines that are described by the files of their kernel, in a folder with `proc` and `sys`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def described(folder: Path, files: Mapping[str, str]) -> Path:
    """The folder, with these files in it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def numa(*lists: str) -> dict[str, str]:
    """The NUMA nodes of a machine, each with its list of CPUs."""
    folder = "sys/devices/system/node"
    return {f"{folder}/node{node}/cpulist": f"{cpus}\n" for node, cpus in enumerate(lists)}


def cgroup(version: int, path: str, mount: str, *, top: str = "/") -> dict[str, str]:
    """Where this process is in the control groups, and which of them is mounted where."""
    kind, options, names = {
        1: ("cgroup", "rw,cpu,cpuacct", "4:cpu,cpuacct"),
        2: ("cgroup2", "rw,nsdelegate", "0:"),
    }[version]
    mounts = (
        "21 1 0:20 / / rw - overlay overlay rw\n"
        f"30 21 0:26 {top} {mount} ro,nosuid shared:9 master:3 - {kind} cgroup {options}\n"
    )
    return {
        "proc/self/cgroup": f"12:pids:/elsewhere\n{names}:{path}\n",
        "proc/self/mountinfo": mounts,
    }
