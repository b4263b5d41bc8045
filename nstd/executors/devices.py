"""Devices and their slots: what there is, and the environment that pins a worker to one.

A device is `cpu` or `cuda:N`, N counting the visible GPUs in the order of nvidia-smi. A slot is
room for one job at a time on a device, and is worked by one process. No torch here: GPUs are
counted by nvidia-smi.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from nstd.queue.slots import Slot
from nstd.system.proc import own_cgroups

_SMI_SECONDS = 10.0
_GPU_WORKER_THREADS = 4  # decoding and encoding; the work itself is on the GPU
CPU_TUNING = {
    # The gradients of one step are freed and asked for again in the next: kept in the heap instead
    # of mapped anew, a step at 512 px takes a quarter less time.
    "MALLOC_MMAP_THRESHOLD_": str(144 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    # An aligned block that was freed does not serve for another of its size (sourceware.org bug
    # 14581). Pictures of 4096 px are mapped therefore: the heap grew by half of what they hold.
    # Small ones left to themselves each leave a piece behind that keeps its neighbours apart.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
    # A thread that is done early spins for some microseconds, then sleeps. Spinning for long, as is
    # usual, takes the cores from the very thread that is waited for where others want them too, and
    # a picture takes up to ten times as long; sleeping at once takes twice the time on idle cores.
    "GOMP_SPINCOUNT": "10000",
}
"""What a process that computes on the CPU needs in its environment before its Python starts."""


def resolve(setting: Literal["auto"] | Sequence[str]) -> list[str]:
    """The devices that the config's `devices` means: every visible GPU for `auto`, else the CPU.

    Whether a GPU that is named exists is left to its worker.
    """
    if setting == "auto":
        return [f"cuda:{index}" for index in range(len(visible_gpus()))] or ["cpu"]
    return list(dict.fromkeys("cuda:0" if name == "cuda" else name for name in setting))


def make_slots(devices: Sequence[str], counts: Mapping[str, int]) -> list[Slot]:
    """The slots of `devices`: as many as `counts` says for the device or its kind, else one."""
    return [
        Slot(device, index)
        for device in devices
        for index in range(counts.get(device, counts.get(device.partition(":")[0], 1)))
    ]


def environment(slot: Slot, slots: Sequence[Slot], cores: int | None = None) -> dict[str, str]:
    """The variables that pin the worker of `slot`; they must be set before its Python starts.

    The CPU slots of `slots` share `cores` (default: those this process may use). What a person
    has set in the daemon's own environment about threads or malloc stays as it is.
    """
    cores = available_cores() if cores is None else cores
    cpu_slots = sum(other.kind == "cpu" for other in slots)
    if slot.kind == "cpu":
        threads = max(1, cores // max(1, cpu_slots))
    else:
        threads = max(1, min(_GPU_WORKER_THREADS, cores // max(1, len(slots))))
    defaults = {"OMP_NUM_THREADS": str(threads)}  # MKL follows, and so does torch
    if slot.kind == "cpu":
        defaults |= CPU_TUNING
    pinned = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": _physical(slot)}
    return {name: text for name, text in defaults.items() if name not in os.environ} | pinned


def torch_device(slot: Slot) -> str:
    """The torch device inside the worker of `slot`, where its GPU is the only one there is."""
    return "cpu" if slot.kind == "cpu" else "cuda:0"


def available_cores() -> int:
    """The cores that this process may use: its affinity, capped by the quota of its cgroup."""
    cores = len(os.sched_getaffinity(0))
    quota = _cgroup_quota()
    return max(1, min(cores, round(quota)) if quota else cores)


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES would say for each visible GPU: its index, UUID or MIG name.

    As in CUDA, an inherited list ends at its first entry that names no GPU. Empty when
    nvidia-smi is absent, fails or does not answer.
    """
    inherited = os.environ.get("CUDA_VISIBLE_DEVICES")
    if inherited is not None and not inherited.strip():
        return []
    present = _installed_gpus()
    if inherited is None or not present:
        return present
    visible: list[str] = []
    for entry in map(str.strip, inherited.split(",")):
        if entry not in present and not entry.startswith(("GPU-", "MIG-")):
            break
        visible.append(entry)
    return visible


def _installed_gpus() -> list[str]:
    """The indices that nvidia-smi lists."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SMI_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip().isdecimal()]


def _physical(slot: Slot) -> str:
    """CUDA_VISIBLE_DEVICES for `slot`, seen through the list that the daemon itself was given."""
    if slot.kind == "cpu":
        return ""
    index = int(slot.device.partition(":")[2])
    inherited = os.environ.get("CUDA_VISIBLE_DEVICES")
    if inherited is None:
        return str(index)
    entries = [entry.strip() for entry in inherited.split(",")]
    # "-1" hides every GPU: the worker then fails with `device_failed` instead of taking another.
    return entries[index] if index < len(entries) and entries[index] else "-1"


def _cgroup_quota() -> float | None:
    """The cores of the tightest cgroup v2 quota above this process; None when there is none."""
    quotas = [_quota(level / "cpu.max") for level in own_cgroups()]
    return min((quota for quota in quotas if quota), default=None)


def _quota(file: Path) -> float | None:
    """Cores in a `cpu.max` file: `200000 100000` is 2, `max 100000` no limit."""
    try:
        quota, period = file.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
