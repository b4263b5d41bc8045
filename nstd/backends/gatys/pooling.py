"""Pooling by two, safe for pictures of any size."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def pool(features: Tensor, kind: str) -> Tensor:
    """Features (1, C, H, W) as (1, C, ceil(H / 2), ceil(W / 2)); `kind` is `max` or `average`.

    Odd edges are kept, so that every pixel counts and nothing is pooled away: a side of 1 stays.
    """
    if kind == "average":
        return functional.avg_pool2d(features, 2, ceil_mode=True)
    return functional.max_pool2d(features, 2, ceil_mode=True)
