"""The built-in judge `vgg19`: distances to the style by depth, and to the content.

Run as `python -m nstd.bench.judge_vgg19 WEIGHTS RESULT CONTENT STYLE`, in a process of its own as
any judge. WEIGHTS is the file of the network `vgg19`. All pictures are looked at with a longest
side of 512 pixels, and with the original's own activations, not scaled.

`relu1_1` to `relu5_1` are |G - G*|^2 / |G*|^2, G the Gram matrix and G* that of the style: 0 is the
style itself. `content` is mean (F - F*)^2 / mean F*^2 at relu4_2: 0 is the content itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.original import DEVIATION, MEAN, read_original
from nstd.bench.seen import load_seen
from nstd.documents.settings import LimitSettings
from nstd.errors import PictureError

SIDE = 512
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT = "relu4_2"
LAYERS = NETWORKS["vgg19"].layers


@torch.no_grad()
def figures(weights: Path, result: Path, content: Path, style: Path) -> dict[str, float]:
    """The distances of `result`, by name. Raises PictureError for a picture that cannot be read."""
    made = _load(result)
    pictures = (made, _load(content, made.size), _load(style))
    seen, shapes, painted = (_features(weights, each) for each in pictures)
    found = {layer: _distance(_gram(seen[layer]), _gram(painted[layer])) for layer in STYLE}
    return found | {"content": _distance(seen[CONTENT], shapes[CONTENT])}


def _load(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
    """A picture of `size` (width, height), by default with a longest side of SIDE pixels."""
    image = load_seen(path, LimitSettings())
    scale = SIDE / max(image.size)
    width, height = size or (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _features(weights: Path, image: Image.Image) -> dict[str, Tensor]:
    """The activations of the layers that are compared."""
    pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)
    x = ((pixels - torch.tensor(MEAN)) / torch.tensor(DEVIATION)).permute(2, 0, 1)[None]
    ones = dict.fromkeys(LAYERS, 1.0)
    return {
        layer: features
        for layer, features in _activations(x, weights, ones)
        if layer in (*STYLE, CONTENT)
    }


def _activations(
    x: Tensor, weights: Path, scales: dict[str, float]
) -> Iterator[tuple[str, Tensor]]:
    for layer, (weight, bias) in zip(LAYERS, read_original(weights, scales), strict=True):
        if layer.endswith("_1") and layer != LAYERS[0]:
            x = functional.max_pool2d(x, 2)
        x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
        yield layer, x
        if layer == STYLE[-1]:
            return


def _gram(features: Tensor) -> Tensor:
    flat = features.flatten(2)[0]
    return flat @ flat.T / flat.shape[1]


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).square().sum() / other.square().sum())


def main() -> int:
    """Print the figures; 1, with the reason as the last line, if there are none."""
    try:
        found = figures(*map(Path, sys.argv[1:]))
    except PictureError as error:
        print(error.message, file=sys.stderr)  # noqa: T201
        return 1
    print(" ".join(f"{name} {value:.4f}" for name, value in found.items()))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
