"""One stage of the embedded networks: 3x3 filters and both signs of their responses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nstd.backends.gatys.layer_names import stage_of
from nstd.backends.gatys.pooling import tap

Filter = tuple[Tensor, Tensor]  # weight (K, C, 3, 3) and bias (K,)


def responses(x: Tensor, filter_: Filter) -> Tensor:
    """The rectified responses of K filters to x (1, C, H, W): (1, 2 K, H, W); edges are repeated.

    First the responses, then their negatives, which rectification would lose
    (Shang et al., "Understanding and Improving Convolutional Neural Networks via Concatenated
    Rectified Linear Units", ICML 2016). No gradient flows to the filters.
    """
    rectified: Tensor = _Responses.apply(x, *filter_)
    return rectified


def in_use(filter_: Filter, dtype: torch.dtype | None) -> Filter:
    """The filter in the data type and the memory format that it computes in; None: its own type."""
    weight, bias = filter_
    return weight.to(dtype=dtype, memory_format=torch.channels_last), bias.to(dtype=dtype)


def chain(
    x: Tensor, filters: Mapping[str, Filter], layers: Collection[str], pooling: str
) -> Iterator[tuple[str, Tensor]]:
    """The features of those `layers` that are in `filters`, which read one another, x the first.

    Before the first filter of a further stage there is pooling by two. Filters after the last
    layer that is wanted are not computed.
    """
    names = list(filters)
    depth = max((number for number, name in enumerate(names, 1) if name in layers), default=0)
    for name, following in zip_longest(names[:depth], names[1:depth]):
        shown = x = responses(x, filters[name])
        if following and stage_of(following) > stage_of(name):
            shown, x = tap(shown, pooling)
        if name in layers:
            yield name, shown


class _Responses(torch.autograd.Function):
    """A custom function, because it saves only the result, and computes only one sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
        answers = functional.conv2d(padded, weight, bias)
        both = _empty(2 * len(weight), answers)
        positive, negative = both.chunk(2, 1)
        torch.clamp(answers, min=0, out=positive)
        torch.sub(positive, answers, out=negative)
        ctx.save_for_backward(both, weight)
        return both

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        both, weight = ctx.saved_tensors
        passed = torch.ops.aten.threshold_backward(gradient, both, 0)
        positive, negative = passed.chunk(2, 1)
        return _unpadded(functional.conv_transpose2d(positive - negative, weight)), None, None


def _empty(channels: int, like: Tensor) -> Tensor:
    _, _, height, width = like.shape
    return torch.empty(
        (1, channels, height, width),
        dtype=like.dtype,
        device=like.device,
        memory_format=torch.channels_last,
    )


def _unpadded(gradient: Tensor) -> Tensor:
    """The gradient without the repeated edges; changes its argument."""
    for side in (gradient, gradient.transpose(2, 3)):
        side[:, :, 1] += side[:, :, 0]
        side[:, :, -2] += side[:, :, -1]
    return gradient[:, :, 1:-1, 1:-1]
