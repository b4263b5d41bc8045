"""Where the time of a picture goes: operations by stage and kind, beside what the machine can do.

The roofline model (Williams, Waterman, Patterson, CACM 2009): an operation takes at least its work
divided by the best speed of computing, and at least its bytes divided by that of the memory. Bytes
are those of all tensors read and written; a tensor that is still in a cache is faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the table is drawn without torch
    from nstd.bench.speed.traced import Operation

FORWARD, BACKWARD = "convolution", "convolution, back"
STATISTICS, POOLING = "statistics", "pooling, rectifying"
PICTURE, TERMS, OPTIMISER = "picture", "loss terms", "optimiser"
STAGES = 5
_CONVOLUTIONS = ("convolution", "convolution_backward")


@dataclass(frozen=True)
class StagePart:
    """The operations of one kind in one stage, of one evaluation; stage 0 is about no layer."""

    stage: int
    kind: str
    seconds: float
    moved: int
    work: int

    def roof(self, ceiling: float, bandwidth: float) -> float:
        """The least seconds on a machine with `ceiling` operations and `bandwidth` bytes a
        second."""
        return max(self.work / ceiling, self.moved / bandwidth)

    def is_bound_by_memory(self, ceiling: float, bandwidth: float) -> bool:
        """Whether the memory sets that least time."""
        return self.moved / bandwidth > self.work / ceiling


def parts_of(
    operations: Iterable[Operation], height: int, width: int, evaluations: int
) -> list[dict[str, Any]]:
    """The parts of `operations` on a picture of this size, divided by `evaluations`."""
    sums: dict[tuple[int, str], list[float]] = {}
    stage = 0
    for operation in operations:
        place, stage = _place(operation, height, width, stage)
        total = sums.setdefault(place, [0.0, 0.0, 0.0])
        for index, amount in enumerate((operation.seconds, operation.moved, operation.work)):
            total[index] += amount / evaluations
    return [
        asdict(StagePart(stage, kind, seconds, round(moved), round(work)))
        for (stage, kind), (seconds, moved, work) in sorted(sums.items())
    ]


def by_stage(parts: Iterable[StagePart]) -> dict[int, StagePart]:
    """The parts of each stage together."""
    found: dict[int, StagePart] = {}
    for part in parts:
        one = found.get(part.stage, StagePart(part.stage, "", 0.0, 0, 0))
        sums = (one.seconds + part.seconds, one.moved + part.moved, one.work + part.work)
        found[part.stage] = StagePart(part.stage, "", *sums)
    return found


def read_parts(found: Mapping[str, Any]) -> list[StagePart]:
    """The parts of a profile, as `parts_of` gave them."""
    return [StagePart(**each) for each in found["parts"]]


def _place(
    operation: Operation, height: int, width: int, before: int
) -> tuple[tuple[int, str], int]:
    """The stage and the kind of an operation, and the stage that those without layer are in."""
    if not operation.in_evaluation:
        return (0, OPTIMISER), before
    shape = operation.shape
    if len(shape) == 4 and shape[0] == 1:
        stage = _nearest(shape[2], height)
        return (stage, _kind(operation)), stage
    if len(shape) == 3 and 1 in shape[1:]:  # products of what is flat: of the layer before
        return (before, STATISTICS), before
    stage = _exact(shape, height, width)
    if stage and len(shape) > 3:  # neighbours are joined
        return (stage, POOLING), stage
    return ((stage, STATISTICS) if stage else (0, TERMS)), stage or before


def _kind(operation: Operation) -> str:
    if operation.name in _CONVOLUTIONS:
        if operation.kernel == 1:  # the gradient of a statistic
            return STATISTICS
        is_back = operation.is_transposed or operation.name == "convolution_backward"
        return BACKWARD if is_back else FORWARD
    return PICTURE if operation.shape[1] <= 3 else POOLING


def _nearest(rows: int, height: int) -> int:
    """The stage whose layers have so many rows, or two more for the border: half of those
    before."""
    return min(range(1, STAGES + 1), key=lambda stage: abs(rows - 1 - (height >> (stage - 1))))


def _exact(shape: tuple[int, ...], height: int, width: int) -> int:
    """The stage whose positions a matrix of features has, in one dimension or two; 0: none."""
    sides = shape if len(shape) == 2 else shape[1:]  # the first may number parts of a layer
    sizes = {math.prod(shape) // side for side in sides if side}
    places = [(height >> stage) * (width >> stage) for stage in range(STAGES)]
    return next((number for number, size in enumerate(places, 1) if size in sizes), 0)
