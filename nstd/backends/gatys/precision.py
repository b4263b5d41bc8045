"""What networks compute in: bfloat16 where the device has units for it, else float32.

Pictures, statistics, losses and the optimiser stay float32 everywhere.
"""

from __future__ import annotations

import torch

UNITS = ("amx_bf16", "avx512_bf16")


def precision_for(device: str, wanted: str = "auto") -> str:
    """`bfloat16` or `float32` for networks on `device`; anything but `auto` is taken as it is.

    On the CPU it takes one of `UNITS`, which multiply bfloat16 at twice the speed of float32 or
    more: without them it is slower.
    """
    if wanted != "auto":
        return wanted
    if torch.device(device).type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if any(map(_capabilities().get, UNITS)) else "float32"


def _capabilities() -> dict[str, object]:
    """What the CPU offers, where torch is new enough to tell."""
    tell = getattr(torch.cpu, "get_capabilities", None)
    return dict(tell()) if tell else {}
