"""Total variation: a loss on the pixels of the picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

STRAIGHT = ((1, 0), (0, 1))  # rows down and columns to the right, to a neighbour
SLANTED = ((1, 1), (1, -1))


def total_variation(picture: Tensor, diagonals: float = 0.0) -> Tensor:
    """The mean squared difference of vertical neighbours plus that of horizontal ones, a scalar.

    0 for a constant picture (1, C, H, W), 2 for a checkerboard of zeros and ones. Mahendran,
    Vedaldi, CVPR 2015, with beta = 2, and means instead of sums. `diagonals` is the share, in
    [0, 1], of the diagonal neighbours: 1/3 gives the nine-point stencil, equal in all directions.
    """
    total = (1 - diagonals) * _mean_squares(picture, STRAIGHT)
    if diagonals:
        # Diagonal neighbours are farther apart: on a ramp their squares are twice as large.
        total = total + diagonals / 2 * _mean_squares(picture, SLANTED)
    return total


def _mean_squares(picture: Tensor, steps: tuple[tuple[int, int], ...]) -> Tensor:
    """The sum of the mean squares over `steps`; a single row or column has no neighbours across."""
    parts = [_MeanSquare.apply(picture, step) for step in steps]
    return torch.stack(parts).sum()


class _MeanSquare(torch.autograd.Function):
    """The mean square of the difference of neighbours; saves nothing for the backward pass."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, step: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(picture)
        ctx.step = step
        here, there = _neighbours(picture, step)
        if not here.numel():
            return picture.new_zeros(())
        return (there - here).square_().mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (picture,) = ctx.saved_tensors
        here, there = _neighbours(picture, ctx.step)
        gradient = torch.zeros_like(picture)
        if here.numel():
            difference = (there - here).mul_(2 * slope / here.numel())
            before, after = _neighbours(gradient, ctx.step)
            after += difference
            before -= difference
        return gradient, None


def _neighbours(picture: Tensor, step: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The pixels that have a neighbour at `step`, and these neighbours."""
    down, right = step
    height, width = picture.shape[2:]
    upper, lower = picture[:, :, : height - down], picture[:, :, down:]
    if right < 0:
        return upper[..., -right:], lower[..., : width + right]
    return upper[..., : width - right], lower[..., right:]
