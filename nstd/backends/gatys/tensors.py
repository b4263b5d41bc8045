"""Conversion of pictures between arrays and tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from nstd.backend import Pixels


EPSILON = 1e-8  # makes 0 / 0 equal 0


def to_tensor(pixels: Pixels, device: str) -> Tensor:
    """Pixels (H, W, 3) in [0, 1] as a new float32 tensor (1, 3, H, W) on `device`."""
    planes = np.array(pixels.transpose(2, 0, 1), dtype=np.float32, order="C")
    return torch.from_numpy(planes)[None].to(device)


def wide(x: Tensor) -> Tensor:
    """`x`, at least in float32: the precision of losses, whatever that of the network."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def to_pixels(picture: Tensor) -> Pixels:
    """A tensor (1, 3, H, W) as pixels (H, W, 3), clamped to [0, 1]."""
    array = picture.detach()[0].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
    return np.ascontiguousarray(array, dtype=np.float32)
