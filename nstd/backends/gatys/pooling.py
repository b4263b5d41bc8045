"""Pooling by two, for pictures of any size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

TINY = 1e-10  # added under the root, whose derivative at 0 is infinite


def pool(features: Tensor, kind: str, window: int = 2) -> Tensor:
    """Features (1, C, H, W) as (1, C, ceil(H / 2), ceil(W / 2)).

    `kind` is `max`, `average`, or `l2`: the root of four times the mean square. An odd last row or
    column is kept, so that every pixel counts; a side of 1 stays 1. `window` is the side of the
    windows, 2 or 3; those of 3 overlap, and have their middle where those of 2 begin.
    """
    if kind == "average":
        return _averaged(features, window)
    if kind == "l2":
        return (4 * _averaged(features.square(), window) + TINY).sqrt()
    pooled: Tensor = _Maximum.apply(features, window)
    return pooled


def _averaged(features: Tensor, window: int) -> Tensor:
    return functional.avg_pool2d(
        features, window, 2, window // 3, ceil_mode=window == 2, count_include_pad=False
    )


class _Maximum(torch.autograd.Function):
    """Finds the maxima again in the backward pass: saving their positions takes eight bytes each,
    more than everything else that an evaluation saves besides the features."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, window: int) -> Tensor:
        ctx.save_for_backward(features)
        ctx.window = window
        return functional.max_pool2d(features, window, 2, window // 3, ceil_mode=window == 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (features,) = ctx.saved_tensors
        sides = ([ctx.window] * 2, [2, 2], [ctx.window // 3] * 2, [1, 1], ctx.window == 2)
        _, where = torch.ops.aten.max_pool2d_with_indices(features, *sides)
        found: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
            gradient, features, *sides, where
        )
        return found, None
