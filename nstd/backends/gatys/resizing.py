"""Pictures at another size: between the levels of a pyramid, and for networks to be fitted to."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def resize(picture: Tensor, height: int, width: int) -> Tensor:
    """`picture` (1, C, H, W) at another size; bicubic, so values may leave [0, 1] slightly."""
    if picture.shape[2:] == (height, width):
        return picture
    return functional.interpolate(picture, (height, width), mode="bicubic", antialias=True)


def rescale(picture: Tensor, factor: float) -> Tensor:
    """`picture` (1, 3, H, W), in [0, 1], with both sides multiplied by `factor`."""
    height, width = (max(1, round(side * factor)) for side in picture.shape[2:])
    return resize(picture, height, width).clamp(0, 1)


def shrink(picture: Tensor, longest: int) -> Tensor:
    """`picture` (1, 3, H, W) with its longest side at most `longest` pixels; never enlarged."""
    return rescale(picture, min(1.0, longest / max(picture.shape[2:])))


def carry(picture: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
    """`picture` resized to the next level by enlarging only its difference from the content.

    `coarse` and `fine` are the content on the two levels. The content plus the enlarged
    difference keeps the content's detail, which an enlarged picture would lose.
    """
    height, width = fine.shape[2:]
    return (fine + resize(picture - coarse, height, width)).clamp(0, 1)
