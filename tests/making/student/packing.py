"""What was learned, as the package holds it: int8 filters, and a map for each taught layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from making.student.model import HEADS, WIDTHS, Student
from making.student.training import first_filter
from nstd.backends.gatys.fixed import packed
from nstd.backends.gatys.statistic import Statistic, mixed, statistic

FREE = 0.05
"""Share of the distance that is of whitened features: what the teacher does not see is not free."""
LEAST = 0.02  # of the mean variance, added to each before whitening
WEIGHTS = {"relu3_1": 1.0, "relu4_1": 1.0, "relu4_2": 0.5, "relu5_1": 1.0}


def pack(state: Mapping[str, Any], path: Path, shown: Tensor, free: float = FREE) -> None:
    """Write the average of a training's `state` to `path`.

    `shown` (N, 3, H, W) are the pictures over which features are whitened.
    """
    held = averaged(state)
    covariances = spread(held, shown)
    arrays: dict[str, NDArray[Any]] = {}
    for name, width in WIDTHS.items():
        weight = held[f"weights.{name}"].view(width, -1, 3, 3)
        heads = [target for target, read in HEADS.items() if read == name]
        turn = torch.zeros(0, 0)
        if heads:
            metric = sum(
                WEIGHTS[t]
                / state["variances"][t]
                / len(held[f"heads.{t}"])
                * held[f"heads.{t}"].double().T
                @ held[f"heads.{t}"].double()
                for t in heads
            )
            turn = root(blended(metric, covariances[name].double(), free))
        layer = packed(f"stage{name.replace('_', 'c')}", (weight, held[f"biases.{name}"]), turn)
        arrays |= {key: value for key, value in layer.items() if value.size}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def averaged(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The parameters of the student, averaged over steps, by name."""
    prefix = "module."
    named = state["averaged"].items()
    return {n.removeprefix(prefix): v for n, v in named if n.startswith(prefix)}


@torch.no_grad()
def spread(held: Mapping[str, Tensor], shown: Tensor) -> dict[str, Tensor]:
    """The covariance (C, C) of the features of each layer that a head reads."""
    student = Student(first_filter())
    student.load_state_dict(held)
    parts: dict[str, list[tuple[Statistic, float]]] = {name: [] for name in HEADS.values()}
    for picture in shown.split(1):
        features = student.features(picture)
        for name, found in parts.items():
            found.append((statistic(features[name].double()), 1.0))
    return {name: mixed(found).covariance for name, found in parts.items()}


def blended(metric: Tensor, covariance: Tensor, free: float) -> Tensor:
    """`metric` with a share of the inverse of `covariance`, each of mean distance 1."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    inverse = (vectors / (values + LEAST * values.mean())) @ vectors.T
    own, white = (m / (m * covariance).sum() for m in (metric, inverse))
    return len(metric) * ((1 - free) * own + free * white)


def root(metric: Tensor) -> Tensor:
    """The symmetric root."""
    values, vectors = torch.linalg.eigh(metric)
    return ((vectors * values.clamp(min=0).sqrt()) @ vectors.T).float()
