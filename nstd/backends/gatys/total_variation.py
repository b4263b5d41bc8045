"""Total variation: the loss that looks at the picture itself."""

from __future__ import annotations

from torch import Tensor


def total_variation(picture: Tensor, diagonals: float = 0.0) -> Tensor:
    """Mean squared difference of vertical neighbours plus that of horizontal ones, a scalar.

    0 for a constant picture (1, C, H, W), 2 for a checkerboard of zeros and ones. Mahendran,
    Vedaldi, CVPR 2015, with beta = 2 and means for sums. `diagonals` is the share, in [0, 1], that
    is left to the diagonal neighbours: 1/3 makes the nine-point stencil, equal in all directions.
    """
    straight = [picture.diff(dim=2), picture.diff(dim=3)]
    total = (1 - diagonals) * _mean_squares(straight)
    if diagonals:
        slanted = [
            picture[..., 1:, 1:] - picture[..., :-1, :-1],
            picture[..., 1:, :-1] - picture[..., :-1, 1:],
        ]
        # Diagonal neighbours are farther apart: on a ramp their squares are twice as large.
        total = total + diagonals / 2 * _mean_squares(slanted)
    return total


def _mean_squares(differences: list[Tensor]) -> Tensor:
    """The sum of their mean squares; a line of pixels has no neighbours across."""
    zero = differences[0].new_zeros(())
    return sum((part.square().mean() for part in differences if part.numel()), zero)
