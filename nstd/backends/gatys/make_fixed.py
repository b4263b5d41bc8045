"""Make the filters of the network `fixed` anew. Run as

    python -m nstd.backends.gatys.make_fixed

this writes the file in the package; it needs scikit-image, of the development dependencies.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nstd.backends.gatys.fitted import Filter, Fitted, fit
from nstd.backends.gatys.fixed import FILE, packed, packed_spheres, unpacked
from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.textures import Pixels, textures

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")  # of skimage.data
DRAWINGS = ("harbour", "mosaic", "sunflowers", "swirls")  # of nstd.samples
SIDE = 512  # pixels of the longest side while fitting: 256 gave worse pictures here
TEXTURES = 240
SHARE = 0.02  # of the mean variance, added to each: weak components are mostly noise
STAGES = NETWORKS["fixed"].layers


def make(path: Path) -> None:
    """Fit the filters, sphere their stages, and write both to `path`."""
    sources = pictures()
    filters = fit([_tensor(each) for each in sources], "average", 0, SIDE, len(STAGES))
    arrays = packed(filters)
    seen = [_tensor(each) for each in textures(sources, TEXTURES, 0)]
    arrays |= packed_spheres(spheres(unpacked(arrays), seen))
    np.savez(path, allow_pickle=False, **arrays)


def pictures() -> list[Pixels]:
    """What the filters are fitted to: (H, W, 3)."""
    from skimage import data

    drawn = resources.files("nstd.samples")
    found: list[Pixels] = [getattr(data, name)() for name in PHOTOGRAPHS]
    for name in DRAWINGS:
        with drawn.joinpath(f"{name}.jpg").open("rb") as file, Image.open(file) as image:
            found.append(np.asarray(image.convert("RGB")))
    return found


@torch.no_grad()
def spheres(filters: Sequence[Filter], seen: Sequence[Tensor]) -> list[Filter]:
    """The 1x1 filters, one a stage, that sphere the stages of `filters` over the pictures `seen`.

    Those are (1, 3, H, W), in [0, 1], and each counts the same.
    """
    network = Fitted(filters, "average")
    means: dict[str, Tensor] = {}
    products: dict[str, Tensor] = {}
    for picture in seen:
        for stage, features in network.features(picture, STAGES).items():
            flat = features.flatten(2)[0].double()
            product = flat @ flat.T / flat.shape[1] / len(seen)
            mean = flat.mean(1) / len(seen)
            products[stage] = products[stage] + product if stage in products else product
            means[stage] = means[stage] + mean if stage in means else mean
    return [_sphere(means[stage], products[stage]) for stage in STAGES]


def _sphere(mean: Tensor, product: Tensor) -> Filter:
    """The inverse root of the covariance, and the bias that takes `mean` to 0."""
    values, vectors = torch.linalg.eigh(product - torch.outer(mean, mean))
    values = values.clamp(min=0)
    turn = (vectors / (values + SHARE * values.mean()).sqrt()) @ vectors.T
    return turn.float()[:, :, None, None], -(turn @ mean).float()


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]


if __name__ == "__main__":
    make(Path(__file__).with_name(FILE))
