"""The losses of style transfer: pure functions of features and pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

EPSILON = 1e-8  # keeps 0 / 0 at 0


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two feature maps of the same shape, a scalar.

    Gatys et al. (2016), equation 1, as a mean: its size does not depend on the resolution.
    """
    return (features - target).square().mean()


def spread(features: Tensor) -> Tensor:
    """Variance over space of features (1, C, H, W), averaged over channels: a scalar."""
    return content_loss(features, features.mean((2, 3), keepdim=True)) + EPSILON


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrix F F^T / (H W) of features (1, C, H, W), as (C, C).

    Gatys et al. (2016), equation 3, as a mean over positions.
    """
    flat = features.flatten(2)[0]
    return flat @ flat.T / flat.shape[1]


def moments(features: Tensor) -> Tensor:
    """Covariance and mean over positions of features (1, C, H, W), side by side as (C, C + 1)."""
    mean = features.mean((2, 3))[0][:, None]
    return torch.cat([gram_matrix(features) - mean @ mean.T, mean], 1)


STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {"gram": gram_matrix, "moments": moments}


def style_distance(statistic: Tensor, target: Tensor) -> Tensor:
    """Squared Frobenius distance of two statistics, a scalar (Gatys et al. 2016, equation 4).

    The distance to a weighted mean of targets differs from the weighted mean of the distances by
    a constant only, so a mix of styles needs no more than one target.
    """
    return (statistic - target).square().sum()


def total_variation(picture: Tensor) -> Tensor:
    """Mean squared difference of vertical neighbours plus that of horizontal ones, a scalar.

    0 for a constant picture (1, C, H, W), 2 for a checkerboard of zeros and ones. Mahendran,
    Vedaldi, CVPR 2015, with beta = 2 and means for sums.
    """
    total = picture.new_zeros(())
    for axis in (2, 3):
        if picture.shape[axis] > 1:
            total = total + picture.diff(dim=axis).square().mean()
    return total
