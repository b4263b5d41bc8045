"""The squared 2-Wasserstein distance between Gaussians with the moments of the statistics.

Dowson, Landau, "The Frechet distance between multivariate normal distributions" (1982); as a style
loss in crowsonkb/style-transfer-pytorch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nstd.backends.gatys.statistic import Statistic

EPSILON = 1e-4  # variance added to every channel, so that no covariance is singular


class Wasserstein:
    """Mean of (m - m*)^2 over C channels plus trace(S + S* - 2 (S*^1/2 S S*^1/2)^1/2) / C.

    m are means, S covariances with EPSILON added to the diagonal; the star marks the target. A
    layer with fewer positions than channels has many eigenvalues near EPSILON, and the product
    squares them, so everything after the covariance is computed in float64.
    """

    def __init__(self, target: Statistic, turn: Tensor | None = None) -> None:
        self._turn = turn
        target = target.turned(turn)
        self._mean = target.mean
        covariance = _regular(target)
        values, vectors = torch.linalg.eigh(covariance)
        self._root = vectors * values.clamp(min=EPSILON).sqrt() @ vectors.T
        self._trace = covariance.trace()

    def __call__(self, statistic: Statistic) -> Tensor:
        """The distance in the precision of `statistic`."""
        statistic = statistic.turned(self._turn)
        covariance = _regular(statistic)
        product = self._root @ covariance @ self._root
        cost = covariance.trace() + self._trace - 2 * trace_of_root(product, EPSILON**2)
        distance = (statistic.mean - self._mean).square().mean()
        return distance + (cost / len(product)).to(distance.dtype)


def trace_of_root(matrix: Tensor, floor: float) -> Tensor:
    """The trace of the square root of a symmetric `matrix` (C, C), as a scalar.

    Eigenvalues below `floor` > 0, also those that rounding has made negative, count as `floor`.
    NaN when the matrix is not finite.
    """
    trace: Tensor = _TraceOfRoot.apply(matrix, floor)
    return trace


class _TraceOfRoot(torch.autograd.Function):
    """Computed from eigenvalues, with the gradient M^-1/2 / 2.

    Autograd through the eigenvectors would divide by differences of eigenvalues, which may be 0.
    Twelve Newton-Schulz steps, the usual method, take three times as long for 512 channels on a
    CPU, and their results are several times too large near the target, where small eigenvalues
    matter most.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, floor: float) -> Tensor:
        if not matrix.isfinite().all():  # eigh would raise an error
            nothing = torch.full_like(matrix, float("nan"))
            ctx.save_for_backward(nothing)
            return nothing[0, 0]
        values, vectors = torch.linalg.eigh(matrix)
        roots = values.clamp(min=floor).sqrt()
        ctx.save_for_backward(vectors / (2 * roots) @ vectors.T)
        trace: Tensor = roots.sum()
        return trace

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return slope * gradient, None


def _regular(statistic: Statistic) -> Tensor:
    """The covariance in float64 with EPSILON added to its diagonal."""
    covariance = statistic.covariance.double()
    return covariance + EPSILON * torch.eye(
        len(covariance), dtype=covariance.dtype, device=covariance.device
    )
