"""Adam (Kingma, Ba, ICLR 2015) inside the box [0, 1], with an average of its iterates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from nstd.backends.gatys.iterate import Evaluate, Iterate, require_finite

BETAS = (0.9, 0.99)
EPSILON = 1e-12  # gradients of a mean over a large picture are small
AVERAGE = 0.9  # decay of the average of iterates: a level has tens of steps, not thousands


@dataclass(frozen=True)
class Adam(Iterate):
    """A point, the moments of its gradients and the running average of the points.

    The averages start at zero and are corrected for it where they are used (Kingma, Ba, section
    3; section 7.2 for the iterates).
    """

    patience: ClassVar[int] = 50  # its losses are not monotone

    first: Tensor
    second: Tensor
    average: Tensor
    rate: float
    count: int = 0

    @classmethod
    def start(cls, x: Tensor, evaluate: Evaluate, rate: float) -> Self:
        """The first iterate, at `x`; one evaluation."""
        zero = torch.zeros_like(x)
        return cls(require_finite(evaluate(x)), zero, zero, zero, rate)

    def step(self, evaluate: Evaluate, budget: int) -> Self:  # noqa: ARG002
        """One step, which takes one evaluation."""
        count, gradient = self.count + 1, self.point.gradient
        first = torch.lerp(self.first, gradient, 1 - BETAS[0])
        second = torch.lerp(self.second, gradient.square(), 1 - BETAS[1])
        size = (second / (1 - BETAS[1] ** count)).sqrt() + EPSILON
        change = first / (1 - BETAS[0] ** count) / size
        point = require_finite(evaluate((self.point.x - self.rate * change).clamp(0, 1)))
        average = torch.lerp(self.average, point.x, 1 - AVERAGE)
        return replace(self, point=point, first=first, second=second, average=average, count=count)

    def gentler(self) -> Self:
        """With half the learning rate."""
        return replace(self, rate=self.rate / 2)

    @property
    def picture(self) -> Tensor:
        """The average of the iterates."""
        if not self.count:
            return super().picture
        return (self.average / (1 - AVERAGE**self.count)).clamp(0, 1)
