"""The GPUs of AMD and Intel that the kernel's drivers show, without a program of their makers.

Only signs: whether torch can use one is seen when it is tried. Those of NVIDIA are counted by
nvidia-smi, as their driver shows less here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_INTEL = "0x8086"
_DRIVERS = ("i915", "xe")
_INTEGRATED = "0000:00:02.0"  # where it is on the PCI bus, in all of these processors


@dataclass(frozen=True)
class Gpu:
    """A GPU: its model as far as the kernel tells it, and the device files that it needs.

    `is_integrated`: a part of an Intel processor, as nearly all of these have one.
    """

    model: str
    files: tuple[Path, ...]
    is_integrated: bool = False

    @property
    def closed(self) -> list[Path]:
        """The files that this process may not use; also those that are not there for it."""
        return [path for path in self.files if not os.access(path, os.R_OK | os.W_OK)]


def amd_gpus(system: Path) -> list[Gpu]:
    """The nodes of amdkfd that compute: CPUs are nodes without SIMD units."""
    nodes = sorted(
        (system / "sys/class/kfd/kfd/topology/nodes").glob("[0-9]*"), key=lambda p: int(p.name)
    )
    return [gpu for node in nodes if (gpu := _amd(node, system)) is not None]


def intel_gpus(system: Path) -> list[Gpu]:
    """The render nodes of Intel's drivers, in processors and on cards."""
    return list(_intel(system))


def _amd(node: Path, system: Path) -> Gpu | None:
    facts: dict[str, int] = {}
    with suppress(OSError, ValueError):
        for line in (node / "properties").read_text().splitlines():
            name, _, number = line.partition(" ")
            facts[name] = int(number)
    if not facts.get("simd_count"):
        return None
    major, rest = divmod(facts.get("gfx_target_version", 0), 10000)
    model = f"gfx{major}{rest // 100}{rest % 100:x}"  # 90010 is gfx90a, 110000 is gfx1100
    render = system / f"dev/dri/renderD{facts.get('drm_render_minor', 128)}"
    return Gpu(model, (system / "dev/kfd", render))


def _intel(system: Path) -> Iterator[Gpu]:
    for render in sorted((system / "sys/class/drm").glob("renderD*")):
        with suppress(OSError):
            vendor = (render / "device/vendor").read_text().strip()
            driver = (render / "device/driver").resolve().name
            if vendor == _INTEL and driver in _DRIVERS:
                model = (render / "device/device").read_text().strip()
                address = (render / "device").resolve().name
                files = (system / "dev/dri" / render.name,)
                yield Gpu(f"{driver} {model}", files, address == _INTEGRATED)
