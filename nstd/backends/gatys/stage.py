"""One stage of the embedded networks: 3x3 filters and both signs of their responses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nstd.backends.gatys.convolution import Convolution
from nstd.backends.gatys.layer_names import stage_of
from nstd.backends.gatys.pooling import pool

NARROW = 2048
"""The most filters times channels for which the negative filters are convolved, too: that takes
less time than to make both signs of a result, which has few channels for each position."""

Filter = tuple[Tensor, Tensor]  # weight (K, C, 3, 3) and bias (K,)


class Stage:
    """The filters of a layer as they are used: prepared for both directions."""

    def __init__(self, filter_: Filter, dtype: torch.dtype | None = None) -> None:
        """They compute in `dtype`; None: their own."""
        weight, bias = (part.to(dtype=dtype) for part in filter_)
        self.dtype = weight.dtype
        self.is_narrow = weight[:, :, 0, 0].numel() <= NARROW
        if self.is_narrow:
            weight, bias = torch.cat([weight, -weight]), torch.cat([bias, -bias])
        self.forward = Convolution(weight, bias, rectified=self.is_narrow)
        # The gradient of a convolution is one with turned filters, from results to channels.
        self.backward = Convolution(weight.flip(2, 3).transpose(0, 1), padding=2)

    def both_signs(self, padded: Tensor) -> Tensor:
        """The rectified responses, then those of the negative filters."""
        made = self.forward(padded)
        if self.is_narrow:
            return made
        both = _empty(2 * made.shape[1], made)
        positive, negative = both.chunk(2, 1)
        torch.clamp(made, min=0, out=positive)
        torch.sub(positive, made, out=negative)
        return both

    def gradient(self, passed: Tensor) -> Tensor:
        """The gradient of what was padded, from that of both signs where they are not 0."""
        if not self.is_narrow:
            positive, negative = passed.chunk(2, 1)
            passed = positive - negative
        return self.backward(passed)


def responses(x: Tensor, stage: Stage) -> Tensor:
    """The rectified responses of K filters to x (1, C, H, W): (1, 2 K, H, W); edges are repeated.

    First the responses, then their negatives, which rectification would lose
    (Shang et al., "Understanding and Improving Convolutional Neural Networks via Concatenated
    Rectified Linear Units", ICML 2016). No gradient flows to the filters.
    """
    rectified, _ = _Responses.apply(x, stage, False)
    assert isinstance(rectified, Tensor)
    return rectified


def pooled_responses(x: Tensor, stage: Stage, pooling: str) -> tuple[Tensor, Tensor]:
    """The `responses`, for the losses, and `pool` of them, for the next stage."""
    if pooling == "average" and not any(side % 2 for side in x.shape[2:]):
        rectified, pooled = _Responses.apply(x, stage, True)
        return rectified, pooled
    rectified = responses(x, stage)
    return rectified, pool(rectified, pooling)


def chain(
    x: Tensor, stages: Mapping[str, Stage], layers: Collection[str], pooling: str
) -> Iterator[tuple[str, Tensor]]:
    """The features of those `layers` that are in `stages`, which read one another, x the first.

    Before the first filter of a further stage there is pooling by two. Filters after the last
    layer that is wanted are not computed.
    """
    names = list(stages)
    depth = max((number for number, name in enumerate(names, 1) if name in layers), default=0)
    for name, following in zip_longest(names[:depth], names[1:depth]):
        if following and stage_of(following) > stage_of(name):
            shown, x = pooled_responses(x, stages[name], pooling)
        else:
            shown = x = responses(x, stages[name])
        if name in layers:
            yield name, shown


class _Responses(torch.autograd.Function):
    """Responses, and if wanted their average over blocks of two by two positions.

    A custom function, because it saves only the result, and because both gradients are added and
    rectified in one tensor: reading and writing the first stages takes most of the time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, stage: Stage, is_pooled: bool) -> tuple[Tensor, Tensor | None]:
        ctx.set_materialize_grads(False)
        both = stage.both_signs(functional.pad(x, (1, 1, 1, 1), mode="replicate"))
        ctx.save_for_backward(both)
        ctx.stage = stage
        return both, functional.avg_pool2d(both, 2) if is_pooled else None

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, shown: Tensor | None, pooled: Tensor | None
    ) -> tuple[Tensor | None, None, None]:
        (both,) = ctx.saved_tensors
        if pooled is not None:
            passed = _spread(pooled, shown)
            torch.ops.aten.threshold_backward(passed, both, 0, grad_input=passed)
        elif shown is not None:
            passed = torch.ops.aten.threshold_backward(shown, both, 0)
        else:
            return None, None, None
        return _unpadded(ctx.stage.gradient(passed)), None, None


def _spread(pooled: Tensor, shown: Tensor | None) -> Tensor:
    """The gradient of an average over blocks of two by two, added to that of the blocks: a new
    tensor."""
    _, channels, height, width = pooled.shape
    # Two positions side by side are next to each other in memory: long rows for the addition.
    row = (pooled / 4).permute(0, 2, 3, 1).reshape(height, 1, width, 1, channels)
    pair = row.expand(height, 1, width, 2, channels).reshape(height, 1, -1)
    if shown is None:
        joined = pair.repeat(1, 2, 1)
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
