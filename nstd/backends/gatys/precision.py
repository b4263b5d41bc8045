"""The precision of networks: bfloat16 if the device has units for it, else float32.

Pictures, statistics, losses and the optimiser always use float32.
"""

from __future__ import annotations

import torch

from nstd.backends.gatys.device_memory import has_bfloat16

UNITS = ("amx_bf16", "avx512_bf16")


def precision_for(device: str, wanted: str = "auto") -> str:
    """`bfloat16` or `float32` for networks on `device`; any `wanted` but `auto` is returned.

    On the CPU, bfloat16 needs one of `UNITS`, which multiply it at least twice as fast as
    float32; without them it is slower.
    """
    if wanted != "auto":
        return wanted
    if torch.device(device).type != "cpu":
        return "bfloat16" if has_bfloat16(device) else "float32"
    return "bfloat16" if any(map(_capabilities().get, UNITS)) else "float32"


def _capabilities() -> dict[str, object]:
    """The capabilities of the CPU, if this version of torch can report them."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    return dict(capabilities()) if capabilities else {}
