"""One stage of the embedded networks, against the same in torch's own operations."""

from __future__ import annotations

import pytest
import torch
from support.tables import table
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys.pooling import pool
from nstd.backends.gatys.stage import NARROW, Filter, Stage, pooled_responses, responses

WIDE = NARROW // 4 + 1  # channels for which only one sign of four filters is convolved
SIZES = [(1, 1), (1, 5), (4, 1), (2, 2), (5, 7)]


def filter_of(components: int, channels: int) -> Filter:
    """Any filter."""
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(components, channels, 3, 3, generator=generator, dtype=torch.float64)
    return weight, torch.randn(components, generator=generator, dtype=torch.float64)


def plain(x: Tensor, filter_: Filter) -> Tensor:
    """Both signs as filters of their own."""
    weight, bias = filter_
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, torch.cat([weight, -weight]), torch.cat([bias, -bias])).relu()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [3, WIDE])
def test_both_signs_are_rectified(
    size: tuple[int, int], order: torch.memory_format, channels: int
) -> None:
    """Value and gradient, for sides of one pixel too, however the picture lies in memory."""
    filter_ = filter_of(4, channels)
    x = torch.randn(1, channels, *size, dtype=torch.float64).contiguous(memory_format=order)
    x.requires_grad_()
    upstream = torch.randn(1, 8, *size, dtype=torch.float64)
    ours, theirs = responses(x, Stage(filter_)), plain(x, filter_)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(y, x, upstream)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_its_gradient_agrees_with_finite_differences() -> None:
    """Through two stages, in float64."""
    one, two = Stage(filter_of(3, 2)), Stage(filter_of(4, 6))
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: responses(responses(x, one), two), (x,))


def test_a_gradient_that_is_used_twice_is_left_alone() -> None:
    """What flows to a stage may flow elsewhere too."""
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(1, 8, 4, 4, dtype=torch.float64)
    before = upstream.clone()
    torch.autograd.grad(responses(x, Stage(filter_of(4, 3))), x, upstream)
    assert torch.equal(upstream, before)


@table("kind", ["average", "max", "l2"])
@table("size", [(1, 1), (2, 2), (4, 6), (5, 6)])
@table("uses", ["both", "shown", "pooled"])
def test_responses_come_with_their_pool(kind: str, size: tuple[int, int], uses: str) -> None:
    """Values and gradients, whichever of the two is used, for odd sides too."""

    def loss(shown: Tensor, pooled: Tensor) -> Tensor:
        one = shown.square().sum() if uses != "pooled" else torch.zeros(())
        return one + (pooled.cos().sum() if uses != "shown" else 0)

    filter_ = filter_of(4, 3)
    x = torch.randn(1, 3, *size, dtype=torch.float64, requires_grad=True)
    shown, pooled = pooled_responses(x, Stage(filter_), kind)
    torch.testing.assert_close(shown, plain(x, filter_))
    torch.testing.assert_close(pooled, pool(plain(x, filter_), kind))
    (ours,) = torch.autograd.grad(loss(shown, pooled), x)
    whole = plain(x, filter_)
    (theirs,) = torch.autograd.grad(loss(whole, pool(whole, kind)), x)
    torch.testing.assert_close(ours, theirs)
