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


def amd(folder: Path, *versions: int) -> Path:
    """Add GPUs of AMD, by their version of the instructions, beside a processor; all may be
    used."""
    nodes = folder / "sys/class/kfd/kfd/topology/nodes"
    described(nodes / "0", {"properties": "cpu_cores_count 16\nsimd_count 0\n"})
    for node, version in enumerate(versions, 1):
        facts = f"simd_count 192\ngfx_target_version {version}\ndrm_render_minor {127 + node}\n"
        described(nodes / f"{node}", {"properties": f"cpu_cores_count 0\n{facts}"})
        described(folder, {f"dev/dri/renderD{127 + node}": ""})
    return described(folder, {"dev/kfd": ""})


def intel(folder: Path, **models: str) -> Path:
    """Add GPUs by their drivers and the numbers of their models; all may be used."""
    for number, (driver, model) in enumerate(models.items(), 128):
        device = folder / f"sys/class/drm/renderD{number}/device"
        vendor = "0x8086" if driver in {"i915", "xe"} else "0x1002"
        described(device, {"vendor": f"{vendor}\n", "device": f"{model}\n"})
        (device / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")
        described(folder, {f"dev/dri/renderD{number}": ""})
    return folder
