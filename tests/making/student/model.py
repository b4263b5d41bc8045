"""The student while it learns: filters that read the first stage of `fixed`, and linear heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nstd.backends.gatys.fitted import normalised
from nstd.backends.gatys.stage import Filter

WIDTHS = {"2_1": 48, "3_1": 64, "3_2": 96, "4_1": 128, "4_2": 160, "5_1": 192, "5_2": 224}
HEADS = {"relu3_1": "3_2", "relu4_1": "4_2", "relu4_2": "4_2", "relu5_1": "5_2"}
CHANNELS = {"relu3_1": 256, "relu4_1": 512, "relu4_2": 512, "relu5_1": 512}
GAIN = 1.4  # of a rectified filter at the start, so that the size of features stays about the same


class Student(nn.Module):
    """Filters are kept as matrices (K, 9 C), which the optimiser wants."""

    def __init__(self, first: Filter) -> None:
        super().__init__()
        self._first = first
        into = 2 * len(first[0])
        self.weights = nn.ParameterDict()
        self.biases = nn.ParameterDict()
        for name, width in WIDTHS.items():
            self.weights[name] = nn.Parameter(
                GAIN * nn.init.orthogonal_(torch.empty(width, 9 * into))
            )
            self.biases[name] = nn.Parameter(torch.zeros(width))
            into = 2 * width
        self.heads = nn.ParameterDict()
        self.offsets = nn.ParameterDict()
        for target, name in HEADS.items():
            self.heads[target] = nn.Parameter(torch.zeros(CHANNELS[target], 2 * WIDTHS[name]))
            self.offsets[target] = nn.Parameter(torch.ones(CHANNELS[target]))

    def next(self, name: str, x: Tensor) -> Tensor:
        """The features of the filters `name`, which read `x`."""
        weight = self.weights[name]
        kernel = weight.view(len(weight), -1, 3, 3).contiguous(memory_format=torch.channels_last)
        return responses(x, kernel, self.biases[name])

    def features(self, pictures: Tensor, depth: int = len(WIDTHS)) -> dict[str, Tensor]:
        """The features of every filter, (N, 2 K, H, W), up to the `depth`th."""
        with torch.no_grad():
            x = normalised(pictures).to(memory_format=torch.channels_last)
            x = responses(x, *self._first)
        found = {"first": x}
        for name in list(WIDTHS)[:depth]:
            if name.endswith("_1"):
                x = functional.avg_pool2d(x, 2, ceil_mode=True)
            found[name] = x = self.next(name, x)
        return found

    def told(self, target: str, features: Tensor) -> Tensor:
        """What a head says of the teacher's `target`."""
        return functional.conv2d(
            features, self.heads[target][:, :, None, None], self.offsets[target]
        )


def responses(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Both signs, rectified, of the answers of 3x3 filters; edges are repeated."""
    answers = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
    return torch.cat([functional.relu(answers), functional.relu(-answers)], 1)
