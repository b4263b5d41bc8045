"""The makers of accelerators: how theirs are seen, called by torch, hidden and installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nstd.executors.torch_build import TorchBuild
from nstd.executors.visible import number_visible
from nstd.system.gpus import Gpu, amd_gpus, intel_gpus

SYSTEM = Path("/")
"""The folder with `proc`, `sys` and `dev`."""


@dataclass(frozen=True)
class Maker:
    """A maker whose GPUs the kernel shows.

    `kind` is torch's name of them, `built` the version of torch that uses them, in `TorchBuild`.
    `variables` may hide some; `drop_in` lets the service's unit reach them; `packages` is what pip
    installs such a torch by.
    """

    name: str
    kind: str
    built: str
    gpus: Callable[[Path], list[Gpu]]
    variables: tuple[str, ...]
    drop_in: str
    packages: str

    def fits(self, build: TorchBuild) -> bool:
        """Whether such a torch can use them."""
        return bool(getattr(build, self.built))

    def gpus_here(self) -> list[Gpu]:
        """Those of this machine that no variable hides."""
        gpus = self.gpus(SYSTEM)
        return gpus[: number_visible(len(gpus), self.variables)]


INDEX = "https://download.pytorch.org/whl"
AMD = Maker(
    "AMD",
    "cuda",
    "hip",
    amd_gpus,
    ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
    "amd.conf",
    f"'torch==2.9.*' 'torchvision==0.24.*' --index-url {INDEX}/rocm6.4",
)
INTEL = Maker(
    "Intel",
    "xpu",
    "xpu",
    intel_gpus,
    ("ZE_AFFINITY_MASK",),
    "intel.conf",
    f"torch torchvision --index-url {INDEX}/xpu",
)
MAKERS = (AMD, INTEL)
NVIDIA_PACKAGES = "torch torchvision"
"""What pip installs from its usual index is built for CUDA, on Linux."""
