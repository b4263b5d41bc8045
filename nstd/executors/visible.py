"""Which GPUs processes see: the lists in environment variables, and those that pin a worker.

Each maker has a variable of its own; a worker's list is relative to the daemon's own.
"""

from __future__ import annotations

import os

from nstd.executors.torch_build import TorchBuild
from nstd.system.child import answer_of

_SMI_SECONDS = 10.0
_HIDDEN = "-1"
"""Hides every GPU of CUDA and HIP: a worker then fails with `device_failed` instead of taking
another. HIP takes an empty list for none at all."""


def pinned(kind: str, index: int, build: TorchBuild) -> dict[str, str]:
    """The variables of a worker that sees GPU `index` of `kind` alone; for `cpu`, none.

    `cuda` counts NVIDIA's, or AMD's where torch was built for ROCm; `xpu` counts Intel's.
    """
    variables = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ""}
    if kind == "cuda" and build.hip:
        name = "HIP_VISIBLE_DEVICES" if os.environ.get("HIP_VISIBLE_DEVICES") else ""
        entry = _entry(name or "CUDA_VISIBLE_DEVICES", index)
        return variables | {"CUDA_VISIBLE_DEVICES": entry, "HIP_VISIBLE_DEVICES": entry}
    if kind == "cuda":
        return variables | {"CUDA_VISIBLE_DEVICES": _entry("CUDA_VISIBLE_DEVICES", index)}
    if kind == "xpu":
        return variables | {"ZE_AFFINITY_MASK": _entry("ZE_AFFINITY_MASK", index)}
    if build.hip:
        variables["HIP_VISIBLE_DEVICES"] = _HIDDEN
    if build.xpu:
        variables["ONEAPI_DEVICE_SELECTOR"] = "*:cpu"
    return variables


def visible_gpus() -> list[str]:
    """NVIDIA's visible GPUs, as named in CUDA_VISIBLE_DEVICES: by index, UUID or MIG name.

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


def number_visible(present: int, variables: tuple[str, ...]) -> int:
    """How many of the GPUs that are `present` the lists in these variables leave visible."""
    for name in variables:
        inherited = os.environ.get(name)
        if inherited is not None:
            entries = [entry.strip() for entry in inherited.split(",")]
            present = min(present, sum(entry not in {"", _HIDDEN} for entry in entries))
    return present


def _installed_gpus() -> list[str]:
    """The indices that nvidia-smi lists."""
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    lines = answer_of(command, _SMI_SECONDS).splitlines()
    return [line.strip() for line in lines if line.strip().isdecimal()]


def _entry(variable: str, index: int) -> str:
    """The entry with this index of the daemon's own list, or the index itself without a list."""
    inherited = os.environ.get(variable)
    if inherited is None:
        return str(index)
    entries = [entry.strip() for entry in inherited.split(",")]
    return entries[index] if index < len(entries) and entries[index] else _HIDDEN
