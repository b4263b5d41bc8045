"""What the installed torch was built for, read from its file of versions without importing it."""

from __future__ import annotations

import importlib.util
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROW = re.compile(r"^(cuda|hip|xpu)\b[^=\n]*= *['\"]([^'\"\n]+)['\"]", re.MULTILINE)


@dataclass(frozen=True)
class TorchBuild:
    """The versions of what torch was built for, as in `torch.version`; at most one is not empty."""

    cuda: str = ""
    hip: str = ""
    xpu: str = ""

    def describe(self) -> str:
        """In words, such as `built for CUDA 13.0`."""
        if self.hip:
            return f"built for AMD's ROCm {self.hip}"
        if self.xpu:
            return f"built for Intel's GPUs, with oneAPI {self.xpu}"
        return f"built for CUDA {self.cuda}" if self.cuda else "built for the CPU alone"


def torch_build() -> TorchBuild:
    """That of the torch on the import path; without any, or with an unknown one, for the CPU."""
    with suppress(ImportError, ValueError, OSError):
        spec = importlib.util.find_spec("torch")
        for folder in (spec and spec.submodule_search_locations) or ():
            text = (Path(folder) / "version.py").read_text(encoding="utf-8")
            return TorchBuild(**dict(_ROW.findall(text)))
    return TorchBuild()
