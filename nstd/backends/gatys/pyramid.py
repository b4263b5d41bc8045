"""The levels of the coarse-to-fine pyramid, and the way of a picture from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, count, pairwise

from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys.options import Options

COARSEST = 128  # pixels of the longest side that the coarsest level has at least
NARROWEST = 32  # the same for the shortest side: the deepest layers need something to see


@dataclass(frozen=True)
class Level:
    """One size at which the picture is optimised, and the evaluations it may take."""

    height: int
    width: int
    evaluations: int

    @property
    def pixels(self) -> int:
        """Pixels of the picture; an evaluation costs about as much as it has pixels."""
        return self.height * self.width

    @property
    def cost(self) -> int:
        """Expected work, in pixels."""
        return self.pixels * self.evaluations


def sizes(height: int, width: int, per_octave: int = 1) -> list[tuple[int, int]]:
    """Heights and widths from the coarsest level to the full size.

    With 1 level `per_octave` each is twice the one before, with 2 the root of 2 times.
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

    `evaluations` are per level, the coarsest first, the last one for all further levels. With
    `total` they are scaled to that sum, which may leave a level without any.
    """
    found = sizes(height, width, per_octave)
    counts = [evaluations[min(i, len(evaluations) - 1)] for i in range(len(found))]
    if total is not None:
        ends = [round(total * end / sum(counts)) for end in accumulate(counts, initial=0)]
        counts = [end - start for start, end in pairwise(ends)]
    return tuple(Level(*size, number) for size, number in zip(found, counts, strict=True))


def levels_of(options: Options, height: int, width: int) -> tuple[Level, ...]:
    """The levels for a picture of that size with `options`."""
    return plan(height, width, options.evaluations, options.steps, options.spec.per_octave)


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
    """`picture` taken from its level to the next: the change is enlarged, not the picture.

    `coarse` and `fine` are the content on the two levels. Content + enlarged change keeps the
    content's detail, which an enlarged picture would have lost.
    """
    height, width = fine.shape[2:]
    return (fine + resize(picture - coarse, height, width)).clamp(0, 1)
