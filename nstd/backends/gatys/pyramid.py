"""The levels of the coarse-to-fine pyramid. Does not import torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, count, pairwise

from nstd.backends.gatys.options import Options

COARSEST = 128  # least longest side of the coarsest level, in pixels
NARROWEST = 32  # least shortest side, for the deepest layers
SUPERSAMPLED = 1 << 22  # most pixels of a picture that is painted larger than asked


@dataclass(frozen=True)
class Level:
    """One size at which the picture is optimised, and its number of evaluations.

    The finest level has `supersampling` times the height and width of the result.
    """

    height: int
    width: int
    evaluations: int
    supersampling: float = 1.0

    @property
    def pixels(self) -> int:
        """The pixels of the picture; the cost of an evaluation is proportional to them."""
        return self.height * self.width

    @property
    def cost(self) -> int:
        """The expected work: pixels times evaluations."""
        return self.pixels * self.evaluations


def sizes(height: int, width: int, per_octave: int = 1) -> list[tuple[int, int]]:
    """Heights and widths from the coarsest level to the full size.

    Each level is 2 times as large as the one before, or with 2 `per_octave` the root of 2 times.
    """
    found = [(height, width)]
    for number in count(1):
        factor = 2 ** (number / per_octave)
        if max(height, width) < factor * COARSEST or min(height, width) < factor * NARROWEST:
            break
        found.insert(0, (round(height / factor), round(width / factor)))
    return found


def plan(
    height: int,
    width: int,
    evaluations: Sequence[int],
    total: int | None = None,
    per_octave: int = 1,
) -> tuple[Level, ...]:
    """The levels for a picture of that size; see `sizes`.

    `evaluations` has the number for each level, the coarsest first, the last for all further
    levels. With `total` they are scaled to that sum, and a level may get none.
    """
    found = sizes(height, width, per_octave)
    counts = [evaluations[min(i, len(evaluations) - 1)] for i in range(len(found))]
    if total is not None:
        ends = [round(total * end / sum(counts)) for end in accumulate(counts, initial=0)]
        counts = [end - start for start, end in pairwise(ends)]
    return tuple(Level(*size, number) for size, number in zip(found, counts, strict=True))


def levels_of(options: Options, height: int, width: int) -> tuple[Level, ...]:
    """The levels for a picture of that size with `options`."""
    room = math.sqrt(SUPERSAMPLED / (height * width))
    factor = max(1.0, min(options.supersampling, room))
    size = round(factor * height), round(factor * width)
    levels = plan(*size, options.evaluations, options.steps, options.spec.per_octave)
    return tuple(replace(level, supersampling=factor) for level in levels)
