"""The statistic of a style: the first two moments of its features over positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nstd.backends.gatys.tensors import wide

PARTS = 16  # least number of parts of a picture for sums in bfloat16
NOTHING = 1e-8  # a mask with less total weight has no statistic


@dataclass(frozen=True)
class Statistic:
    """The moments of C channels: their `mean` (C,), and `second` (C, C), the mean of products.

    `second` is the Gram matrix F F^T / (H W): Gatys et al. (2016), equation 3, as a mean over
    positions, so that it does not depend on the resolution.
    """

    mean: Tensor
    second: Tensor

    @property
    def covariance(self) -> Tensor:
        """The covariance (C, C) of the channels over positions."""
        return torch.addr(self.second, self.mean, self.mean, alpha=-1)

    def turned(self, turn: Tensor | None) -> Statistic:
        """The moments of the channels after the map `turn` (C, C); None: no map."""
        if turn is None:
            return self
        return Statistic(turn @ self.mean, turn @ self.second @ turn.T)


def statistic(features: Tensor) -> Statistic:
    """The moments of `features` (1, C, H, W)."""
    return compared(features, None)[0]


def shares(weight: Tensor, size: Sequence[int]) -> Tensor:
    """The share of each position of a layer of that size, (1, 1, *size); the sum is 1 or 0.

    `weight` (1, 1, h, w), values >= 0, is the weight of each pixel; it is averaged over positions.
    """
    share = functional.interpolate(weight, tuple(size), mode="area")
    return share / share.sum().clamp(min=NOTHING)


def weighted(features: Tensor, share: Tensor) -> Statistic:
    """The moments of `features` (1, C, H, W), with the positions weighted by `share`.

    If `share` is 0 everywhere, so are the moments.
    """
    flat = wide(features).flatten(2)[0]
    counts = share.flatten()
    return Statistic(flat @ counts, flat * counts @ flat.T)


def compared(features: Tensor, reference: Tensor | None) -> tuple[Statistic, Tensor]:
    """The moments of `features` (1, C, H, W), and their overlap with `reference`, a scalar.

    The overlap is the mean over positions of the inner product of the two; 0 for None.
    """
    mean, second, overlap = _Moments.apply(features, reference)
    return Statistic(mean, second), overlap


class _Moments(torch.autograd.Function):
    """A custom function: it reads the features once forward and once backward."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, reference: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(features, reference)
        flat = by_position(features)
        second = _products(features) / len(flat)
        overlap = second.new_zeros(())
        if reference is not None:
            overlap = _inner_product(features, reference) / len(flat)
        return _total(features) / len(flat), second, overlap

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, mean: Tensor, second: Tensor, overlap: Tensor) -> tuple[Tensor, None]:
        features, reference = ctx.saved_tensors
        count = features[0, 0].numel()
        symmetric = ((second + second.T) / count).to(features.dtype)
        slope = (mean / count).to(features.dtype)
        # A convolution adds the mean's part while it writes: half the time of two operations.
        gradient = functional.conv2d(features, symmetric[:, :, None, None], slope)
        if reference is not None:
            gradient.add_(reference, alpha=float(overlap) / count)
        return gradient, None


def gap(features: Tensor, reference: Tensor) -> Tensor:
    """The mean square of the difference between two maps of the same shape, a scalar."""
    found: Tensor = _Gap.apply(features, reference)
    return found


class _Gap(torch.autograd.Function):
    """A custom function, which saves only the difference."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, reference: Tensor) -> Tensor:
        difference = features - reference
        ctx.save_for_backward(difference)
        return _inner_product(difference, difference) / difference.numel()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        return difference * (2 * float(gradient) / difference.numel()), None


def by_position(features: Tensor) -> Tensor:
    """`features` (1, C, H, W) as (H W, C), their order in memory with channels last."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def as_map(flat: Tensor, like: Tensor) -> Tensor:
    """The inverse of `by_position`: a map with the shape of `like`."""
    _, channels, height, width = like.shape
    return flat.view(1, height, width, channels).permute(0, 3, 1, 2)


def _products(features: Tensor) -> Tensor:
    """The sum over positions of the products of channels, (C, C), at least in float32.

    Sums in bfloat16 are rounded to three digits, so the picture is divided into parts, whose sums
    are added in float32. If these sums would need more memory than the features, it computes in
    float32.
    """
    parts = _parts(features)
    if features.dtype != torch.bfloat16 or len(parts) * parts.shape[2] ** 2 > features.numel():
        flat = wide(by_position(features))
        return flat.T @ flat
    return torch.bmm(parts.mT, parts).sum(0, dtype=torch.float32)


def _total(features: Tensor) -> Tensor:
    """The sum over positions, (C,), rounded as in `_products`."""
    if features.dtype != torch.bfloat16:
        return by_position(features).sum(0)
    return _parts(features).sum(1).sum(0, dtype=torch.float32)


def _parts(features: Tensor) -> Tensor:
    """The features in at least `PARTS` groups of rows: (parts, positions of each, C)."""
    _, channels, height, _ = features.shape
    count = next(n for n in range(min(PARTS, height), height + 1) if height % n == 0)
    return by_position(features).view(count, -1, channels)


def _inner_product(one: Tensor, other: Tensor) -> Tensor:
    """The sum of the products of all values, rounded as in `_products`."""
    if one.dtype != torch.bfloat16:
        return torch.dot(by_position(one).flatten(), by_position(other).flatten())
    return _total(one * other).sum()


def mixed(parts: Sequence[tuple[Statistic, float]]) -> Statistic:
    """The moments of a mixture, from those of its parts and their relative weights."""
    total = sum(weight for _, weight in parts)
    mean = sum(part.mean * (weight / total) for part, weight in parts)
    second = sum(part.second * (weight / total) for part, weight in parts)
    assert isinstance(mean, Tensor)
    assert isinstance(second, Tensor)
    return Statistic(mean, second)
