"""Convolutions with constant filters, prepared once for the library that computes them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

PREPARED = (torch.bfloat16, torch.float32)


class Convolution:
    """The convolution of x (1, C, H, W), without gradients, by filters (K, C, 3, 3).

    On the CPU, oneDNN reorders filters before it uses them. For a small picture that takes as long
    as the convolution, so it is done here, once. It also rectifies while it writes the result.
    Both are as in PyTorch's own compiled code.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None = None, padding: int = 0, rectified: bool = False
    ) -> None:
        """With a `bias` (K,); `padding` zeros on each side; if `rectified`, negative values are
        0."""
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias = bias
        self._padding = padding
        self._rectified = rectified
        self._prepared = _prepared(self._weight, padding)

    def __call__(self, x: Tensor) -> Tensor:
        """The result (1, K, H + 2 padding - 2, W + 2 padding - 2)."""
        if self._prepared is None:
            found = functional.conv2d(x, self._weight, self._bias, padding=self._padding)
            return found.relu_() if self._rectified else found
        then = "relu" if self._rectified else "none"
        return _convolved(x, self._prepared, self._bias, self._padding, then)


def _prepared(weight: Tensor, padding: int) -> Tensor | None:
    """The filters in the order that oneDNN wants; None where it does not compute with them."""
    has_library = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not has_library or weight.device.type != "cpu" or weight.dtype not in PREPARED:
        return None
    try:
        if weight.dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return None
        made: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
            weight, [padding] * 2, [1, 1], [1, 1], 1, None
        )
        _convolved(weight.new_zeros(1, weight.shape[1], 3, 3), made, None, padding, "none")
    except (AttributeError, RuntimeError):  # private operations, not in every version of PyTorch
        return None
    return made


def _convolved(x: Tensor, filters: Tensor, bias: Tensor | None, padding: int, then: str) -> Tensor:
    apart = [padding] * 2, [1, 1], [1, 1], 1
    made: Tensor = torch.ops.mkldnn._convolution_pointwise(x, filters, bias, *apart, then, [], None)
    return made
