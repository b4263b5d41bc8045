"""The best speed of the machine: in the main operation of networks, the convolution, and in moving
bytes."""

from __future__ import annotations

import time

import torch
from torch.nn import functional

CHANNELS, SIDE = 256, 128  # VGG's third block at 512 px: the most work for the fewest bytes
ROUNDS = 5
COPIED = 1 << 28  # bytes: more than caches hold


def gflops(dtype: torch.dtype) -> float:
    """GFLOP/s (10^9 operations per second) of a 3x3 convolution in `dtype`, in the best round."""
    x, weight = (
        torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)
        for shape in ((1, CHANNELS, SIDE, SIDE), (CHANNELS, CHANNELS, 3, 3))
    )
    work = 2 * 9 * CHANNELS**2 * SIDE**2
    functional.conv2d(x, weight, padding=1)
    return work / min(_seconds(x, weight) for _ in range(ROUNDS)) / 1e9


def bandwidth() -> float:
    """Bytes a second that are read and written, in the best round of copying a large tensor."""
    source = torch.zeros(COPIED, dtype=torch.uint8)
    target = torch.ones_like(source)
    return 2 * COPIED / min(_copying(source, target) for _ in range(ROUNDS))


def _copying(source: torch.Tensor, target: torch.Tensor) -> float:
    began = time.perf_counter()
    target.copy_(source)
    return time.perf_counter() - began


def _seconds(x: torch.Tensor, weight: torch.Tensor) -> float:
    began = time.perf_counter()
    functional.conv2d(x, weight, padding=1)
    return time.perf_counter() - began
