"""Devices and their slots, and the environment variables that pin a worker to a slot.

A device is `cpu`, `cuda:N` or `xpu:N`; N counts the visible GPUs of NVIDIA (in the order of
nvidia-smi) or AMD, and those of Intel. A slot is room for one job at a time on a device, with one
worker process. This module does not import torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nstd.executors.makers import MAKERS, Maker
from nstd.executors.torch_build import torch_build
from nstd.executors.trials import DeviceTrial, try_devices
from nstd.executors.visible import pinned, visible_gpus
from nstd.queue.slots import Slot
from nstd.system.cpus import Cpus, Share
from nstd.system.gpus import Gpu

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

CLOSED = "may not be used by this user"
"""How the problem with a device ends whose files are closed."""


@dataclass(frozen=True)
class Choice:
    """The devices of a config, and the trials of those that `auto` has tried."""

    devices: list[str]
    trials: Sequence[DeviceTrial] = ()


def resolve(setting: Literal["auto"] | Sequence[str]) -> list[str]:
    """The devices of the config's `devices`, see `choose`."""
    return choose(setting).devices


def choose(setting: Literal["auto"] | Sequence[str]) -> Choice:
    """The devices of the config's `devices`; for `auto`, every accelerator, or the CPU.

    The GPUs of NVIDIA are taken as nvidia-smi lists them. Those of the maker that torch was built
    for are tried first, if the kernel shows any. Whether a named device exists is not checked here
    but by its worker.
    """
    if setting != "auto":
        return Choice(list(dict.fromkeys(map(_numbered, setting))))
    build = torch_build()
    maker = next((maker for maker in MAKERS if maker.fits(build)), None)
    if maker is None:
        return Choice([f"cuda:{index}" for index in range(len(visible_gpus()))] or ["cpu"])
    trials = _tried(maker)
    return Choice([trial.device for trial in trials if not trial.refused] or ["cpu"], trials)


def _tried(maker: Maker) -> list[DeviceTrial]:
    """The trials of the GPUs of `maker`; no process is started for those that are closed to us."""
    found = {f"{maker.kind}:{index}": gpu for index, gpu in enumerate(maker.gpus_here())}
    tried = try_devices([device for device, gpu in found.items() if not gpu.closed], _pinned_alone)
    closed = [
        DeviceTrial(d, gpu.model, problem=why_closed(gpu)) for d, gpu in found.items() if gpu.closed
    ]
    return sorted([*tried, *closed], key=lambda trial: list(found).index(trial.device))


def why_closed(gpu: Gpu) -> str:
    """Which of its device files this process may not use."""
    return f"{' and '.join(map(str, gpu.closed))} {CLOSED}"


def _pinned_alone(device: str) -> dict[str, str]:
    """The variables of a worker of `device`, which has the cores to itself."""
    slot = Slot(device, 0)
    return environment(slot, [slot])


def _numbered(name: str) -> str:
    return name if name == "cpu" or ":" in name else f"{name}:0"


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
    _, _, index = slot.device.partition(":")
    variables = pinned(slot.kind, int(index or 0), torch_build())
    return {name: text for name, text in defaults.items() if name not in os.environ} | variables


def share_of(slot: Slot, slots: Sequence[Slot], cpus: Cpus | None = None) -> Share:
    """The CPUs and threads of a CPU slot, of `slots` that share `cpus`."""
    return (cpus or Cpus.usable()).share(slot.index, sum(each.kind == "cpu" for each in slots))


def torch_device(slot: Slot) -> str:
    """The torch device inside the worker of `slot`, which sees only its own GPU."""
    return _numbered(slot.kind)
