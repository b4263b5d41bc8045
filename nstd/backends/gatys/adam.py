"""Adam (Kingma, Ba, ICLR 2015) within the box [0, 1], with an average of its iterates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys.iterate import Evaluate, Iterate, require_finite
from nstd.backends.gatys.resizing import resize

BETAS = (0.9, 0.99)
EPSILON = 1e-12  # gradients of a mean over a large picture are small
LARGEST = 1e18  # its square is within the range of float32
AVERAGE = 0.99  # decay of the average of iterates


@dataclass(frozen=True)
class Adam(Iterate):
    """A point, the moments of the gradients, and the running average of the points of a level.

    The averages start at zero; their bias is corrected where they are used (Kingma, Ba, section
    3; section 7.2 for the iterates). They include `count` gradients and `averaged` points.
    """

    patience: ClassVar[int] = 50  # its losses do not always fall

    first: Tensor
    second: Tensor
    average: Tensor
    rate: float
    count: int = 0
    averaged: int = 1

    @classmethod
    def start(cls, x: Tensor, evaluate: Evaluate, rate: float) -> Self:
        """The first iterate, at `x`; one evaluation."""
        zero = torch.zeros_like(x)
        return cls(require_finite(evaluate(x)), zero, zero, (1 - AVERAGE) * x, rate)

    def step(self, evaluate: Evaluate, budget: int) -> Self:  # noqa: ARG002
        """One step, which takes one evaluation."""
        count, gradient = self.count + 1, self.point.gradient.clamp(-LARGEST, LARGEST)
        first = torch.lerp(self.first, gradient, 1 - BETAS[0])
        second = torch.lerp(self.second, gradient.square(), 1 - BETAS[1])
        size = (second / (1 - BETAS[1] ** count)).sqrt() + EPSILON
        change = first / (1 - BETAS[0] ** count) / size
        point = require_finite(evaluate((self.point.x - self.rate * change).clamp(0, 1)))
        return replace(
            self,
            point=point,
            first=first,
            second=second,
            average=torch.lerp(self.average, point.x, 1 - AVERAGE),
            count=count,
            averaged=self.averaged + 1,
        )

    def gentler(self) -> Self:
        """The same iterate with half the learning rate."""
        return replace(self, rate=self.rate / 2)

    def onward(self, x: Tensor, evaluate: Evaluate) -> Self:
        """The first iterate of the next level, with resized moments: new moments would cause large
        steps.

        The average of the points starts again.
        """
        size = x.shape[2:]
        return replace(
            self,
            point=require_finite(evaluate(x)),
            first=resize(self.first, *size),
            # Bicubic interpolation could make it negative.
            second=functional.interpolate(self.second, size, mode="bilinear"),
            average=(1 - AVERAGE) * x,
            averaged=1,
        )

    @property
    def picture(self) -> Tensor:
        """The average of the level's points."""
        return (self.average / (1 - AVERAGE**self.averaged)).clamp(0, 1)
