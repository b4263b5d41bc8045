"""One stage of the embedded networks: 3x3 filters and both signs of their responses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nstd.backends.gatys.networks import stage_of
from nstd.backends.gatys.pooling import pool

NARROW = 2048  # the most filters times channels for which both signs are convolved

Filter = tuple[Tensor, Tensor]  # weight (K, C, 3, 3) and bias (K,)


def responses(x: Tensor, filter_: Filter) -> Tensor:
    """The rectified responses of K filters to x (1, C, H, W): (1, 2 K, H, W); edges are repeated.

    First the responses, then their negatives, which rectification would lose
    (Shang et al., "Understanding and Improving Convolutional Neural Networks via Concatenated
    Rectified Linear Units", ICML 2016). No gradient flows to the filters.
    """
    rectified, _ = _Responses.apply(x, *filter_, False)
    assert isinstance(rectified, Tensor)
    return rectified


def pooled_responses(x: Tensor, filter_: Filter, pooling: str) -> tuple[Tensor, Tensor]:
    """The `responses`, for the losses, and `pool` of them, for the next stage."""
    if pooling == "average" and not any(side % 2 for side in x.shape[2:]):
        rectified, pooled = _Responses.apply(x, *filter_, True)
        return rectified, pooled
    rectified = responses(x, filter_)
    return rectified, pool(rectified, pooling)


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
        if following and stage_of(following) > stage_of(name):
            shown, x = pooled_responses(x, filters[name], pooling)
        else:
            shown = x = responses(x, filters[name])
        if name in layers:
            yield name, shown


class _Responses(torch.autograd.Function):
    """Responses, and if wanted their average over blocks of two by two positions.

    A custom function, because it saves only the result, and because both gradients are added and
    rectified in one tensor: reading and writing the first stages takes most of the time.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, is_pooled: bool
    ) -> tuple[Tensor, Tensor | None]:
        ctx.set_materialize_grads(False)
        padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
        both = (
            _by_doubled(padded, weight, bias)
            if _is_narrow(weight)
            else _by_sign(functional.conv2d(padded, weight, bias))
        )
        ctx.save_for_backward(both, weight)
        return both, functional.avg_pool2d(both, 2) if is_pooled else None

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, shown: Tensor | None, pooled: Tensor | None
    ) -> tuple[Tensor | None, None, None, None]:
        both, weight = ctx.saved_tensors
        if pooled is not None:
            passed = _spread(pooled, shown)
            torch.ops.aten.threshold_backward(passed, both, 0, grad_input=passed)
        elif shown is not None:
            passed = torch.ops.aten.threshold_backward(shown, both, 0)
        else:
            return None, None, None, None
        if _is_narrow(weight):
            weight = torch.cat([weight, -weight])
        else:
            positive, negative = passed.chunk(2, 1)
            passed = positive - negative
        return _unpadded(functional.conv_transpose2d(passed, weight)), None, None, None


def _is_narrow(weight: Tensor) -> bool:
    """Whether there are so few filters that a convolution with their negatives, too, takes less
    time than to make both signs of its result."""
    return weight[:, :, 0, 0].numel() <= NARROW


def _by_doubled(padded: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    weights, biases = torch.cat([weight, -weight]), torch.cat([bias, -bias])
    return functional.conv2d(padded, weights, biases).relu_()


def _by_sign(answers: Tensor) -> Tensor:
    both = _empty(2 * answers.shape[1], answers)
    positive, negative = both.chunk(2, 1)
    torch.clamp(answers, min=0, out=positive)
    torch.sub(positive, answers, out=negative)
    return both


def _spread(pooled: Tensor, shown: Tensor | None) -> Tensor:
    """The gradient of an average over blocks of two by two, added to that of the blocks: a new
    tensor."""
    _, channels, height, width = pooled.shape
    # Two positions side by side are next to each other in memory: long rows for the addition.
    row = (pooled / 4).permute(0, 2, 3, 1).reshape(height, 1, width, 1, channels)
    pair = row.expand(height, 1, width, 2, channels).reshape(height, 1, -1)
    if shown is None:
        joined = pair.expand(height, 2, pair.shape[2])
    else:
        joined = shown.permute(0, 2, 3, 1).reshape(height, 2, -1) + pair
    return joined.reshape(1, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


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
