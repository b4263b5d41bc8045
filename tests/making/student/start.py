"""The filters that the training starts at: found layer by layer, with linear regression alone.

Each filter of the student predicts one channel of the teacher, before its rectification, from the
patches that the filter sees; those channels are chosen that tell most of all others (the pivots of
a Cholesky decomposition). This takes a minute, and saves many minutes of descent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional

from making.student.model import HEADS, WIDTHS, Student
from making.student.teacher import Teacher

AIMS = {
    "2_1": ("relu2_1", "relu2_2"),
    "3_1": ("relu3_1", "relu3_2"),
    "3_2": ("relu3_1", "relu3_2", "relu3_4"),
    "4_1": ("relu4_1", "relu4_2"),
    "4_2": ("relu4_1", "relu4_2", "relu4_4"),
    "5_1": ("relu5_1",),
    "5_2": ("relu5_1",),
}
POSITIONS = {"2": 48, "3": 64, "4": 72, "5": 96}  # of a part, by stage
RIDGE = 3e-3  # of the mean variance of what is regressed on
BATCH = 8

Kept = dict[str, Tensor]  # by layer of the teacher (N, positions, C)


@torch.no_grad()
def start(student: Student, teacher: Teacher, shown: Tensor, rng: Generator) -> None:
    """Give `student` its first filters and heads, from the parts `shown` (N, 3, H, W)."""
    names = {name for aims in AIMS.values() for name in aims} | set(HEADS)
    side = shown.shape[-1]
    places = {
        stage: torch.from_numpy(
            np.stack(
                [rng.choice((side >> int(stage) - 1) ** 2, count, replace=False) for _ in shown]
            )
        )
        for stage, count in POSITIONS.items()
    }
    kept: dict[str, list[Tensor]] = {name: [] for name in names}
    for first in range(0, len(shown), BATCH):
        for name, x in teacher(shown[first : first + BATCH], names).items():
            at = places[name[4]][first : first + BATCH]
            kept[name].append(_picked(x, at).half())
    wanted = {name: torch.cat(each) for name, each in kept.items()}
    print("asked the teacher", flush=True)
    for name in WIDTHS:
        at = places[name[0]]
        seen = _Regression()
        for first in range(0, len(shown), BATCH):
            with torch.autocast("cpu", torch.bfloat16):
                x = student.before(shown[first : first + BATCH], name).float()
            patches = functional.unfold(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3)
            these = slice(first, first + BATCH)
            inputs = _picked(patches, at[these]).flatten(0, 1)
            targets = [wanted[aim][these].flatten(0, 1).float() for aim in AIMS[name]]
            seen.add(inputs, torch.cat(targets, 1))
        weight, bias, covariance = seen.solution()
        sizes = [wanted[aim].shape[2] for aim in AIMS[name]]
        chosen = pivots(_balanced(covariance, sizes), WIDTHS[name])
        scale = covariance.diag()[chosen].clamp(min=1e-9).rsqrt()
        student.weights[name].copy_(weight[chosen] * scale[:, None])
        student.biases[name].copy_(bias[chosen] * scale)
        print("started", name, f"explains {seen.explained(covariance):.2f}", flush=True)
    for target, name in HEADS.items():
        at = places[name[0]]
        seen = _Regression()
        for first in range(0, len(shown), BATCH):
            these = slice(first, first + BATCH)
            with torch.autocast("cpu", torch.bfloat16):
                x = student.features(shown[these])[name].float()
            seen.add(
                _picked(x, at[these]).flatten(0, 1).float(),
                wanted[target][these].flatten(0, 1).float().relu(),
            )
        weight, bias, covariance = seen.solution()
        student.heads[target].copy_(weight)
        student.offsets[target].copy_(bias)
        print("head", target, f"explains {seen.explained(covariance):.2f}", flush=True)


class _Regression:
    """Linear regression with an intercept, from sums over batches."""

    def __init__(self) -> None:
        self._count = 0
        self._inputs = self._targets = self._square = self._product = self._power = torch.zeros(())

    def add(self, inputs: Tensor, targets: Tensor) -> None:
        self._count += len(inputs)
        self._inputs = self._inputs + inputs.sum(0)
        self._targets = self._targets + targets.sum(0)
        self._square = self._square + inputs.T @ inputs
        self._product = self._product + inputs.T @ targets
        self._power = self._power + targets.square().sum(0)

    def solution(self) -> tuple[Tensor, Tensor, Tensor]:
        """The matrix (T, D), the intercept (T,), and the covariance of what they predict."""
        x, y = self._inputs / self._count, self._targets / self._count
        square = self._square / self._count - x[:, None] * x
        product = self._product / self._count - x[:, None] * y
        ridge = RIDGE * square.diag().mean() * torch.eye(len(x))
        weight = torch.cholesky_solve(product, torch.linalg.cholesky(square + ridge)).T
        return weight, y - weight @ x, weight @ square @ weight.T

    def explained(self, covariance: Tensor) -> float:
        y = self._targets / self._count
        return float(covariance.trace() / (self._power / self._count - y.square()).sum())


def _picked(x: Tensor, places: Tensor) -> Tensor:
    """Of `x` (N, C, ...) the positions `places` (N, P): (N, P, C)."""
    flat = x.flatten(2)
    return flat.gather(2, places[:, None].expand(-1, flat.shape[1], -1)).transpose(1, 2)


def _balanced(covariance: Tensor, sizes: Sequence[int]) -> Tensor:
    """The covariance with every aim of the same variance in all."""
    scale = torch.cat(
        [(1 / d.sum()).sqrt().expand(len(d)) for d in covariance.diag().split(list(sizes))]
    )
    return covariance * scale[:, None] * scale


def pivots(covariance: Tensor, count: int) -> list[int]:
    """The `count` variables that one after the other leave the least of all others unexplained."""
    rest, found = covariance.double().clone(), []
    for _ in range(count):
        gains = rest.square().sum(0) / rest.diag().clamp(min=1e-12)
        gains[found] = -1.0
        best = int(gains.argmax())
        found.append(best)
        rest -= rest[:, best, None] * rest[best] / rest[best, best].clamp(min=1e-12)
    return found
