"""Finds the student's filters, layer by layer, with linear regression alone.

Each filter predicts one channel of the teacher, before its rectification, from the patches that the
filter sees; those channels are chosen that tell most of all others. Then a head, a linear map,
predicts what the teacher's layers show from all features of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional

from making.student.regression import Linear, Sums, pivots, solved
from making.student.teacher import Teacher
from nstd.backends.gatys.fitted import normalised
from nstd.backends.gatys.fixed import packed, unpacked
from nstd.backends.gatys.layer_names import LEARNED, stage_of
from nstd.backends.gatys.pooling import pool
from nstd.backends.gatys.stage import Filter, Stage, responses

WIDTHS = dict(zip(LEARNED, (48, 64, 96, 128, 160, 192, 224), strict=True))
AIMS = {
    "stage2c1": ("relu2_1", "relu2_2"),
    "stage3c1": ("relu3_1", "relu3_2"),
    "stage3c2": ("relu3_1", "relu3_2", "relu3_4"),
    "stage4c1": ("relu4_1", "relu4_2"),
    "stage4c2": ("relu4_1", "relu4_2", "relu4_4"),
    "stage5c1": ("relu5_1",),
    "stage5c2": ("relu5_1",),
}
HEADS = {"stage3c2": ("relu3_1",), "stage4c2": ("relu4_1", "relu4_2"), "stage5c2": ("relu5_1",)}
"""What the features of a layer predict in the end."""
POSITIONS = {2: 40, 3: 56, 4: 72, 5: 120}  # of a part of a picture, by stage

Kept = dict[str, Tensor]  # by layer of the teacher: its answers (N, P, T) at P places of N parts


class Head(NamedTuple):
    """A linear map from features to a layer of the teacher, whose variance over all channels is
    `variance`; `covariance` is that of the features."""

    weight: Tensor
    variance: float
    covariance: Tensor


class Learned(NamedTuple):
    """The student's filters, by layer, and heads, by layer of the teacher."""

    filters: dict[str, Filter]
    heads: dict[str, Head]


@torch.no_grad()
def fit(
    shown: Sequence[Tensor], kept_out: int, teacher: Teacher, first: Filter, rng: Generator
) -> Learned:
    """Filters that read the features of `first`, from parts of pictures, (1, 3, S, S) in [0, 1].

    The last `kept_out` of them are not fitted to: they tell how well the fit does elsewhere.
    """
    places = positions(shown, rng)
    wanted = asked(teacher, shown, places)
    print("asked the teacher", flush=True)
    learned = Learned({}, {})
    used = Stage(first, torch.bfloat16)
    maps = [pool(responses(normalised(p).bfloat16(), used), "average") for p in shown]
    stage = stage_of(LEARNED[0])
    for layer in LEARNED:
        if stage_of(layer) > stage:
            stage, maps = stage_of(layer), [pool(x, "average") for x in maps]
        aims = [wanted[aim] for aim in AIMS[layer]]
        learned.filters[layer] = found = _filter(layer, maps, places[stage], aims, kept_out)
        used = Stage(found, torch.bfloat16)
        maps = [responses(x, used) for x in maps]
        for target in HEADS.get(layer, ()):
            learned.heads[target] = _head(target, maps, places[stage], wanted[target], kept_out)
    return learned


def positions(shown: Sequence[Tensor], rng: Generator) -> dict[int, Tensor]:
    """Random places (N, P) of each stage, counted row by row."""
    side = shown[0].shape[-1]
    return {
        stage: torch.from_numpy(
            np.stack([rng.choice((side >> stage - 1) ** 2, count, replace=False) for _ in shown])
        )
        for stage, count in POSITIONS.items()
    }


def asked(teacher: Teacher, shown: Sequence[Tensor], places: Mapping[int, Tensor]) -> Kept:
    """The teacher's answers at these places."""
    names = {name for aims in (*AIMS.values(), *HEADS.values()) for name in aims}
    kept: dict[str, list[Tensor]] = {name: [] for name in names}
    for number, part in enumerate(shown):
        for name, x in teacher(part, names).items():
            kept[name].append(picked(x, places[stage_of(name)][number]).half())
    return {name: torch.stack(each) for name, each in kept.items()}


def picked(x: Tensor, places: Tensor) -> Tensor:
    """Of `x` (1, C, ...) the positions `places` (P,): (P, C), in float32."""
    return x.flatten(2)[0, :, places].T.float()


def _filter(
    layer: str, maps: Sequence[Tensor], places: Tensor, aims: Sequence[Tensor], kept_out: int
) -> Filter:
    """The filter of `layer`, which reads `maps`, rounded as it is stored."""
    seen, unseen = Sums(), Sums()
    for number, x in enumerate(maps):
        padded = functional.pad(x.float(), (1, 1, 1, 1), mode="replicate")
        inputs = picked(functional.unfold(padded, 3), places[number])
        into = seen if number < len(maps) - kept_out else unseen
        into.add(inputs, torch.cat([aim[number].float() for aim in aims], 1))
    weight, bias = solved(seen, unseen, layer)
    covariance = weight @ seen.covariance @ weight.T
    chosen = pivots(_balanced(covariance, [aim.shape[2] for aim in aims]), WIDTHS[layer])
    scale = covariance.diag()[chosen].clamp(min=1e-9).rsqrt()
    kernel = (weight[chosen] * scale[:, None]).view(len(chosen), -1, 3, 3)
    arrays = packed(layer, (kernel, bias[chosen] * scale), torch.zeros(()))
    return unpacked({name: torch.from_numpy(each) for name, each in arrays.items()}, layer)


def _balanced(covariance: Tensor, sizes: Sequence[int]) -> Tensor:
    """The covariance with every aim of the same variance in all."""
    each = torch.split(covariance.diag(), list(sizes))
    scale = torch.cat([(1 / d.sum()).sqrt().expand(len(d)) for d in each])
    return covariance * scale[:, None] * scale


def _head(
    target: str, maps: Sequence[Tensor], places: Tensor, wanted: Tensor, kept_out: int
) -> Head:
    """The head of `target`, which reads `maps`."""
    seen, unseen = Sums(), Sums()
    for number, x in enumerate(maps):
        into = seen if number < len(maps) - kept_out else unseen
        into.add(picked(x, places[number]), wanted[number].float().relu())
    linear: Linear = solved(seen, unseen, f"head of {target}")
    return Head(linear.weight, seen.variance, seen.covariance)
