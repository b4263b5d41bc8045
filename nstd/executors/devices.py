"""Devices and their slots, and the environment variables that pin a worker to a slot.

A device is `cpu` or `cuda:N`; N counts the visible GPUs in the order of nvidia-smi. A slot is room
for one job at a time on a device, with one worker process. This module does not import torch; it
counts GPUs with nvidia-smi.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Literal

from nstd.queue.slots import Slot
from nstd.system.cpus import Cpus, Share

_SMI_SECONDS = 10.0
_GPU_WORKER_THREADS = 4  # decoding and encoding; the work itself is on the GPU
CPU_TUNING = {
    # Each step frees its gradients and allocates them again. When they stay in the heap, instead of
    # being mapped again, a step at 512 px takes a quarter less time.
    "MALLOC_MMAP_THRESHOLD_": str(144 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    # glibc does not reuse a freed aligned block for another of the same size (sourceware.org bug
    # 14581). So pictures of 4096 px are mapped: in the heap they took half as much memory again.
    # Small blocks in several arenas would leave pieces between large free blocks.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
    # A thread that is done early spins for some microseconds, then sleeps. On busy cores, the usual
    # long spinning takes time from the thread that the others wait for, and a picture takes up to
    # ten times as long; on idle cores, sleeping at once takes twice the time.
    "GOMP_SPINCOUNT": "10000",
}
"""Environment variables for a process that computes on the CPU, set before its Python starts."""


def resolve(setting: Literal["auto"] | Sequence[str]) -> list[str]:
    """The devices of the config's `devices`; for `auto`, every visible GPU, or the CPU.

    Whether a named GPU exists is not checked here but by its worker.
    """
    if setting == "auto":
        return [f"cuda:{index}" for index in range(len(visible_gpus()))] or ["cpu"]
    return list(dict.fromkeys("cuda:0" if name == "cuda" else name for name in setting))


def make_slots(
    devices: Sequence[str], counts: Mapping[str, int], cpus: Cpus | None = None
) -> list[Slot]:
    """The slots of `devices`: the number in `counts` for the device or its kind.

    Else one for each GPU, and one for each NUMA node of `cpus` (default: those of this process).
    """
    usual = {"cpu": (cpus or Cpus.usable()).slots}
    return [
        Slot(device, index)
        for device in devices
        for kind in (device.partition(":")[0],)
        for index in range(counts.get(device, counts.get(kind, usual.get(kind, 1))))
    ]


def environment(slot: Slot, slots: Sequence[Slot], cpus: Cpus | None = None) -> dict[str, str]:
    """The variables that pin the worker of `slot`; they must be set before its Python starts.

    The CPU slots of `slots` share `cpus` (default: those of this process). Variables about
    threads or malloc that are set in the daemon's own environment are kept.
    """
    cpus = cpus or Cpus.usable()
    if slot.kind == "cpu":
        threads = share_of(slot, slots, cpus).threads
    else:
        threads = max(1, min(_GPU_WORKER_THREADS, cpus.count // max(1, len(slots))))
    defaults = {"OMP_NUM_THREADS": str(threads)}  # also used by MKL and torch
    if slot.kind == "cpu":
        defaults |= CPU_TUNING
    pinned = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": _physical(slot)}
    return {name: text for name, text in defaults.items() if name not in os.environ} | pinned


def share_of(slot: Slot, slots: Sequence[Slot], cpus: Cpus | None = None) -> Share:
    """The CPUs and threads of a CPU slot, of `slots` that share `cpus`."""
    return (cpus or Cpus.usable()).share(slot.index, sum(each.kind == "cpu" for each in slots))


def torch_device(slot: Slot) -> str:
    """The torch device inside the worker of `slot`, which sees only its own GPU."""
    return "cpu" if slot.kind == "cpu" else "cuda:0"


def visible_gpus() -> list[str]:
    """The visible GPUs, as named in CUDA_VISIBLE_DEVICES: by index, UUID or MIG name.

    As in CUDA, an inherited list ends at the first entry that is not a GPU. Empty when
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
    """CUDA_VISIBLE_DEVICES for `slot`, relative to the daemon's own CUDA_VISIBLE_DEVICES."""
    if slot.kind == "cpu":
        return ""
    index = int(slot.device.partition(":")[2])
    inherited = os.environ.get("CUDA_VISIBLE_DEVICES")
    if inherited is None:
        return str(index)
    entries = [entry.strip() for entry in inherited.split(",")]
    # "-1" hides every GPU: the worker then fails with `device_failed` instead of taking another.
    return entries[index] if index < len(entries) and entries[index] else "-1"
