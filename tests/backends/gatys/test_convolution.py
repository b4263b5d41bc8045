"""Convolutions with prepared filters, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nstd.backends.gatys import convolution
from nstd.backends.gatys.convolution import Convolution

PRECISIONS = [torch.float64, torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("size", [(3, 3), (4, 9), (40, 30)])
@pytest.mark.parametrize(("padding", "rectified"), [(0, True), (2, False)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_is_that_of_torch(
    dtype: torch.dtype,
    size: tuple[int, int],
    padding: int,
    rectified: bool,
    order: torch.memory_format,
) -> None:
    """For all sizes of pictures with the same prepared filters, in all precisions."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(5, 8, 3, 3, generator=generator, dtype=torch.float64).to(dtype)
    bias = torch.randn(5, generator=generator, dtype=torch.float64).to(dtype)
    x = torch.randn(1, 8, *size, generator=generator, dtype=torch.float64).to(dtype)
    made = Convolution(weight, bias, padding, rectified)(x.contiguous(memory_format=order))
    expected = functional.conv2d(x.double(), weight.double(), bias.double(), padding=padding)
    expected = expected.relu() if rectified else expected
    torch.testing.assert_close(made, expected.to(dtype))


def test_without_the_private_operations_of_torch_a_convolution_is_the_plain_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another version may have named them, or their parameters, differently."""
    monkeypatch.setattr(convolution, "_convolved", lambda *parts: torch.ops.mkldnn.no_such(*parts))
    weight, x = torch.ones(2, 3, 3, 3), torch.ones(1, 3, 5, 4)
    torch.testing.assert_close(Convolution(weight)(x), functional.conv2d(x, weight))
