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
POSITIONS = {"2": 40, "3": 56, "4": 72, "5": 120}  # of a part, by stage
RIDGES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of the mean variance of what is regressed on
BATCH = 8

Kept = dict[str, Tensor]  # by layer of the teacher (N, positions, C)


@torch.no_grad()
def start(
    student: Student, teacher: Teacher, shown: Tensor, kept_out: int, rng: Generator
) -> None:
    """Give `student` its first filters and heads, from the parts `shown` (N, 3, H, W).

    The last `kept_out` of them only decide how much the regressions are damped.
    """
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
    x = torch.cat([_pooled(student.features(b, 0)["first"]).half() for b in shown.split(BATCH)])
    for name in WIDTHS:
        at = places[name[0]]
        if name.endswith("_1") and name != next(iter(WIDTHS)):
            x = torch.cat([_pooled(b) for b in x.split(BATCH)])
        _filters(student, name, x, at, [wanted[aim] for aim in AIMS[name]], kept_out)
        x = torch.cat([student.next(name, b.float()).half() for b in x.split(BATCH)])
        for target in (t for t, read in HEADS.items() if read == name):
            _head(student, target, _picked(x, at), wanted[target], kept_out)


def _pooled(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 2, ceil_mode=True)


def _filters(
    student: Student, name: str, x: Tensor, at: Tensor, aims: Sequence[Tensor], kept_out: int
) -> None:
    """The filters `name`, which read `x`, from what the teacher says at the places `at`."""
    seen, unseen = _Regression(), _Regression()
    for first in range(0, len(x), BATCH):
        these = slice(first, first + BATCH)
        padded = functional.pad(x[these].float(), (1, 1, 1, 1), mode="replicate")
        inputs = _picked(functional.unfold(padded, 3), at[these]).flatten(0, 1)
        targets = torch.cat([aim[these].flatten(0, 1).float() for aim in aims], 1)
        (seen if first < len(x) - kept_out else unseen).add(inputs, targets)
    weight, bias, covariance = solved(seen, unseen, name)
    chosen = pivots(_balanced(covariance, [a.shape[2] for a in aims]), WIDTHS[name])
    scale = covariance.diag()[chosen].clamp(min=1e-9).rsqrt()
    student.weights[name].copy_(weight[chosen] * scale[:, None])
    student.biases[name].copy_(bias[chosen] * scale)


def _head(student: Student, target: str, x: Tensor, wanted: Tensor, kept_out: int) -> None:
    """The head of `target`, from features (N, P, C) at the places of `wanted`."""
    seen, unseen = _Regression(), _Regression()
    batches = zip(x.split(BATCH), wanted.split(BATCH), strict=True)
    for number, (inputs, targets) in enumerate(batches):
        into = seen if number * BATCH < len(x) - kept_out else unseen
        into.add(inputs.flatten(0, 1).float(), targets.flatten(0, 1).float().relu())
    weight, bias, _ = solved(seen, unseen, f"head of {target}")
    student.heads[target].copy_(weight)
    student.offsets[target].copy_(bias)


def solved(seen: _Regression, unseen: _Regression, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """The solution of `seen` with the damping that leaves the least of `unseen`."""
    left = {}
    for ridge in RIDGES:
        weight, bias, covariance = seen.solution(ridge)
        left[ridge] = unseen.unexplained(weight, bias)
    best = min(left, key=left.__getitem__)
    weight, bias, covariance = seen.solution(best)
    own = seen.unexplained(weight, bias)
    print(name, f"leaves {own:.3f}, kept out", {r: round(v, 3) for r, v in left.items()}, flush=True)
    return weight, bias, covariance


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

    def solution(self, ridge: float) -> tuple[Tensor, Tensor, Tensor]:
        """The matrix (T, D), the intercept (T,), and the covariance of what they predict."""
        x, y = self._inputs / self._count, self._targets / self._count
        square = self._square / self._count - x[:, None] * x
        product = self._product / self._count - x[:, None] * y
        damped = square + ridge * square.diag().mean() * torch.eye(len(x))
        weight = torch.cholesky_solve(product, torch.linalg.cholesky(damped)).T
        return weight, y - weight @ x, weight @ square @ weight.T

    def unexplained(self, weight: Tensor, bias: Tensor) -> float:
        """The share of the targets' variance that a matrix and an intercept leave."""
        n = self._count
        x, y = self._inputs / n, self._targets / n
        square, product = self._square / n, self._product / n
        mean = weight @ x + bias
        error = (
            (self._power / n).sum()
            + ((weight @ square) * weight).sum()
            - 2 * (weight.T * product).sum()
            + bias.square().sum()
            + 2 * (bias * (mean - bias)).sum()
            - 2 * (bias * y).sum()
        )
        return float(error / (self._power / n - y.square()).sum())


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
