"""One stage of the embedded networks, against the same in torch's own operations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys.stage import Filter, responses

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
def test_both_signs_are_rectified(size: tuple[int, int], order: torch.memory_format) -> None:
    """Value and gradient, for sides of one pixel too, however the picture lies in memory."""
    filter_ = filter_of(4, 3)
    x = torch.randn(1, 3, *size, dtype=torch.float64).contiguous(memory_format=order)
    x.requires_grad_()
    upstream = torch.randn(1, 8, *size, dtype=torch.float64)
    ours, theirs = responses(x, filter_), plain(x, filter_)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(y, x, upstream)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_its_gradient_agrees_with_finite_differences() -> None:
    """Through two stages, in float64."""
    one, two = filter_of(3, 2), filter_of(4, 6)
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: responses(responses(x, one), two), (x,))


def test_a_gradient_that_is_used_twice_is_left_alone() -> None:
    """What flows to a stage may flow elsewhere too."""
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(1, 8, 4, 4, dtype=torch.float64)
    before = upstream.clone()
    torch.autograd.grad(responses(x, filter_of(4, 3)), x, upstream)
    assert torch.equal(upstream, before)
