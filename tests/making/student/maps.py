"""The maps of the student's layers, under which their statistics are compared."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from making.student.fitting import HEADS, Head

FREE = 0.4
"""Share of the distance that is of whitened features: what the teacher does not see is not free.

Pictures come closer to their styles, as VGG-19 judges them, than with a share of 0.05.
"""
LEAST = 0.02  # of the mean variance, added to each before whitening
WEIGHTS = {"relu3_1": 1.0, "relu4_1": 1.0, "relu4_2": 0.5, "relu5_1": 1.0}


def turn(layer: str, heads: Mapping[str, Head], free: float = FREE) -> Tensor:
    """The map (C, C) of `layer`: for a share of 0, and one head H, it is (H^T H)^(1/2)."""
    read = {target: heads[target] for target in HEADS[layer]}
    metric = sum(
        WEIGHTS[target] / head.variance * head.weight.double().T @ head.weight.double()
        for target, head in read.items()
    )
    assert isinstance(metric, Tensor)
    return root(blended(metric, next(iter(read.values())).covariance.double(), free))


def blended(metric: Tensor, covariance: Tensor, free: float) -> Tensor:
    """`metric` with a share of the inverse of `covariance`.

    The mean distance of two features is 1 - free of the one and `free` of the other, times C.
    """
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    inverse = (vectors / (values + LEAST * values.mean())) @ vectors.T
    own, white = (m / (m * covariance).sum() for m in (metric, inverse))
    both: Tensor = len(metric) * ((1 - free) * own + free * white)
    return both


def root(metric: Tensor) -> Tensor:
    """The symmetric root."""
    values, vectors = torch.linalg.eigh(metric)
    found: Tensor = ((vectors * values.clamp(min=0).sqrt()) @ vectors.T).float()
    return found
