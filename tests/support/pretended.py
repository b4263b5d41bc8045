"""A torch that pretends to have accelerators: what is put on one is on the CPU, and computed there.

Installed as the package `torch` in a folder of its own, it becomes the real one in the process that
imports it, and then pretends; its file of versions says what it is built for. The environment
variable PRETENDED has the settings, of `Pretended`, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MASKS = {"cuda": "HIP_VISIBLE_DEVICES", "xpu": "ZE_AFFINITY_MASK"}
"""The variable that hides accelerators, by torch's name of them; `cuda` is AMD's here."""
VERSIONS = {"cuda": "hip = '6.4.1'", "xpu": "xpu: Optional[str] = '20250301'"}
CONVOLUTIONS = {"conv2d", "_convolution_pointwise"}
"""Functions of torch that convolve."""
MODEL = "Pretended 9000"
MEMORY = 2**33


def installed(site: Path, kind: str, **settings: Any) -> dict[str, str]:
    """Put such a torch into `site`; the variables that its processes need."""
    (site / "torch").mkdir(parents=True)
    (site / "torch" / "__init__.py").write_text(Path(__file__).read_text())
    text = f"from typing import Optional\n\ncuda: Optional[str] = None\n{VERSIONS[kind]}\n"
    (site / "torch" / "version.py").write_text(text)
    return {"PRETENDED": json.dumps({"kind": kind, **settings})}


def functions(kind: str, number: int) -> dict[str, Callable[..., Any]]:
    """What the module of `kind` says of a process that may see `number` accelerators."""

    def count() -> int:
        mask = os.environ.get(MASKS[kind])
        return number if mask is None else sum(e.isdecimal() for e in mask.split(","))

    return {
        "is_available": lambda: count() > 0,
        "device_count": count,
        "get_device_name": lambda *_: MODEL,
        "is_bf16_supported": lambda **_: False,
        "mem_get_info": lambda *_: (MEMORY // 2, MEMORY),
        "memory_reserved": lambda *_: 0,
        "memory_allocated": lambda *_: 4096,
        "max_memory_allocated": lambda *_: 8192,
        "reset_peak_memory_stats": lambda *_: None,
        "empty_cache": lambda: None,
    }


def pretending(kind: str, number: int = 1, wrong: float = 0.0, cpu_pause: float = 0.0) -> Any:
    """A mode of torch in which `number` accelerators of `kind` are there.

    Their convolutions are `wrong` by this factor; a process that sees none pauses at each for
    `cpu_pause` seconds.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    count = functions(kind, number)["device_count"]

    def moved(value: Any) -> Any:
        if isinstance(value, str | torch.device) and str(value).partition(":")[0] == kind:
            index = int(str(value).partition(":")[2] or 0)
            if index >= count():
                raise RuntimeError(f"{value}: no such device")
            return torch.device("cpu")
        return value

    class Pretending(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func is torch.device:
                return func(*args, **kwargs or {})
            given = {name: moved(value) for name, value in (kwargs or {}).items()}
            result = func(*map(moved, args), **given)
            # float64 is what the CPU computes for comparison
            name = getattr(func, "__name__", "")
            if name not in CONVOLUTIONS or result.dtype == torch.float64:
                return result
            if not count():
                time.sleep(cpu_pause)
                return result
            return result * (1 + wrong)

    return Pretending()


def _become_torch() -> None:
    """Let this process have the real torch, with what is pretended of it."""
    own = Path(__file__).parent.parent.resolve()
    places = sys.path[:]
    sys.path[:] = [place for place in places if Path(place).resolve() != own]
    del sys.modules["torch"]
    import torch

    sys.path[:] = places
    settings = json.loads(os.environ["PRETENDED"])
    kind, number = settings["kind"], settings.get("number", 1)
    for name, function in functions(kind, number).items():
        setattr(getattr(torch, kind), name, function)
    pretending(**settings).__enter__()


if __name__ == "torch":
    _become_torch()
