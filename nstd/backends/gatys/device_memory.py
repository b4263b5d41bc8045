"""The memory and the model of an accelerator, by torch's own module for its kind.

`torch.cuda` for those of NVIDIA and, where torch is built for ROCm, of AMD; `torch.xpu` for Intel.
"""

from __future__ import annotations

from typing import Any

import torch


def device_name(device: str) -> str:
    """The model of the accelerator."""
    return str(_module(device).get_device_name(device))


def free_memory(device: str) -> int:
    """Bytes that this process may still allocate; what it has kept from before counts as free."""
    module = _module(device)
    left, _ = module.mem_get_info(device)
    return int(left + module.memory_reserved(device) - module.memory_allocated(device))


def memory_in_use(device: str) -> int:
    """Bytes of tensors of this process."""
    return int(_module(device).memory_allocated(device))


def peak_memory(device: str) -> int:
    """The most bytes of tensors at a time, since `reset_peak_memory`."""
    return int(_module(device).max_memory_allocated(device))


def reset_peak_memory(device: str) -> None:
    """Measure `peak_memory` from now on."""
    _module(device).reset_peak_memory_stats(device)


def give_back_memory(device: str) -> None:
    """Give memory that is kept for later tensors back to the device; the CPU keeps none."""
    if device != "cpu" and (module := _module(device)).is_available():
        module.empty_cache()


def has_bfloat16(device: str) -> bool:
    """Whether the accelerator multiplies bfloat16 itself."""
    return bool(_module(device).is_bf16_supported(including_emulation=False))


def _module(device: str) -> Any:
    return torch.get_device_module(device)
