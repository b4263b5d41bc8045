"""The common parts of the optimisers: a point with its loss and gradient, and an iterate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from torch import Tensor


@dataclass(frozen=True)
class Point:
    """A picture (1, 3, H, W) with its loss and the gradient of the loss.

    `terms` has the parts of the loss by name. `finite` is False when the loss or any value of
    the gradient is NaN or infinite.
    """

    x: Tensor
    loss: float
    gradient: Tensor
    terms: Mapping[str, float]
    finite: bool = True

    @property
    def picture(self) -> Tensor:
        """The picture, clamped to [0, 1]."""
        return self.x.clamp(0, 1)


Evaluate = Callable[[Tensor], Point]


@dataclass(frozen=True)
class Iterate(ABC):
    """One state of an optimiser: a point, and information from the steps before.

    Iterates are immutable: a step makes a new one. So the last good state is available when a
    step fails, and a checkpoint can be made at any time.
    """

    patience: ClassVar[int]
    """The number of steps without improvement that counts as a plateau."""

    point: Point

    @abstractmethod
    def step(self, evaluate: Evaluate, budget: int) -> Self | None:
        """The next iterate after at most `budget` evaluations; None when no step lowers the loss.

        Raises FloatingPointError when all losses were NaN or infinite.
        """

    @abstractmethod
    def gentler(self) -> Self:
        """The same point, with smaller steps from now on."""

    @abstractmethod
    def onward(self, x: Tensor, evaluate: Evaluate) -> Self:
        """The first iterate of the next level, at `x`; one evaluation."""

    @property
    def picture(self) -> Tensor:
        """The best picture (1, 3, H, W) of this iterate, in [0, 1]."""
        return self.point.picture

    def state(self) -> dict[str, Any]:
        """The iterate as plain values and tensors, for a checkpoint."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return own | {"point": vars(self.point)}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """The iterate whose `state` this was."""
        return cls(**{**state, "point": Point(**state["point"])})


def require_finite(point: Point) -> Point:
    """`point`. Raises FloatingPointError unless it is finite."""
    if not point.finite:
        raise FloatingPointError
    return point
