"""Pooling by two, safe for pictures of any size."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

TINY = 1e-10  # under the root, whose slope at 0 is infinite


def pool(features: Tensor, kind: str) -> Tensor:
    """Features (1, C, H, W) as (1, C, ceil(H / 2), ceil(W / 2)).

    `kind` is `max`, `average`, or `l2`: the root of the sum of four squares. Odd edges are kept,
    so that every pixel counts and nothing is pooled away: a side of 1 stays.
    """
    if kind == "average":
        return functional.avg_pool2d(features, 2, ceil_mode=True)
    if kind == "l2":
        return (4 * functional.avg_pool2d(features.square(), 2, ceil_mode=True) + TINY).sqrt()
    return functional.max_pool2d(features, 2, ceil_mode=True)
