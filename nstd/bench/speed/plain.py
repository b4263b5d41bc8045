"""The plain loop, as in many tutorials: VGG-19 from torchvision, Gram matrices, Adam, float32.

The engine is compared with it, so it is simple on purpose, and it shares only the weights file with
the engine, no code. Its loss is exactly that of the engine.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

STYLE = (1, 6, 11, 20, 29)  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1 of `features`
CONTENT = 22  # relu4_2
CONTENT_WEIGHT = 0.3
RATE = 0.02
FLOOR, NOTHING = 1e-3, 1e-8  # as the engine has them


class PlainOptimiser:
    """Optimises one picture of the size of `content`; both pictures are (1, 3, H, W)."""

    def __init__(self, weights: Path, content: Tensor, style: Tensor) -> None:
        from torchvision.models import vgg19  # type: ignore[import-untyped]  # takes two seconds

        model = vgg19()
        model.load_state_dict(torch.load(weights, weights_only=True))
        self._features: nn.Sequential = model.features.eval()
        self._features.requires_grad_(False)
        self._features[0].padding_mode = "replicate"  # as the engine, unlike torchvision
        shown, wanted = self._look(content), self._look(style)
        self._content = shown[CONTENT]
        self._grams = {layer: gram(wanted[layer]) for layer in STYLE}
        self._content_scale = variance(shown[CONTENT]) + variance(wanted[CONTENT]) + NOTHING
        self._scales = {
            layer: distance(gram(shown[layer]), target) + FLOOR * target.square().sum() + NOTHING
            for layer, target in self._grams.items()
        }
        self.picture = content.clone().requires_grad_()
        self._adam = torch.optim.Adam([self.picture], lr=RATE)

    def step(self) -> float:
        """One evaluation and one step; returns the loss before the step."""
        self._adam.zero_grad()
        loss = self.loss(self.picture)
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        with torch.no_grad():
            self.picture.clamp_(0, 1)
        return loss.item()

    def loss(self, picture: Tensor) -> Tensor:
        """The loss of any picture of the same size, a scalar."""
        seen = self._look(picture)
        content = (seen[CONTENT] - self._content).square().mean() / self._content_scale
        style = sum(
            (distance(gram(seen[layer]), self._grams[layer]) / self._scales[layer])
            for layer in STYLE
        )
        return CONTENT_WEIGHT * content + style / len(STYLE)

    def _look(self, picture: Tensor) -> dict[int, Tensor]:
        mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
        deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        x, seen = (picture - mean) / deviation, {}
        for number, layer in enumerate(self._features[: STYLE[-1] + 1]):
            x = layer(x)
            if number in (*STYLE, CONTENT):
                seen[number] = x
        return seen


def gram(features: Tensor) -> Tensor:
    """The Gram matrix (C, C) of features (1, C, H, W), as a mean over positions."""
    flat = features.flatten(2)[0]
    return flat @ flat.T / flat.shape[1]


def distance(one: Tensor, other: Tensor) -> Tensor:
    """The sum of squared differences of two Gram matrices."""
    return (one - other).square().sum()


def variance(features: Tensor) -> Tensor:
    """The variance over positions, as a mean over channels."""
    return features.var((2, 3), correction=0).mean()
