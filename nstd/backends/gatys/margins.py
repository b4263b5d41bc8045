"""Margins of style pictures: paper, frame or bare canvas at the edge of a scan is not style.

A network would paint a margin where it sees it, as a frame around the result. Two kinds are found,
separately for each side:

- A strip of paper white or of black, which ends along a line that is parallel to the side.
- A worn edge: the outermost lines differ from those just inside them by far more than lines of the
  picture ever do over the same distance. It is a few pixels wide.

Margins are cut off. In case of doubt, nothing is cut: when similar lines occur inside the picture
(stripes, a page of text), for a wide strip without an opposite one, or a slow change of light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nstd.backend import Style, Task
from nstd.backends.gatys.resizing import shrink
from nstd.backends.gatys.tensors import to_pixels, to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nstd.backend import Pixels

    Array = NDArray[np.float32]

LONGEST = 512  # pixels of the longest side of the copy that is looked at; "lines" are its lines
SHORTEST = 128  # pixels of its other side; a smaller picture is left as it is

TOLERANCE = 16 / 255  # colours that differ by no more than this count as one
PAPER, BLACK = 0.75, 0.15  # paper: every channel is at least this; black: at most that
NEUTRAL = 0.2  # paper: the channels differ by at most this
FULL = 0.95  # a line belongs to a strip where this share of it has the strip's colour
GONE = 0.25  # a strip has ended where no more than this share of a line is left of it
ENDING = 6  # lines within which it must end
SINGLE, PAIRED = 1 / 25, 1 / 8  # its greatest share of the picture: alone, and with an opposite one

WORN = 10  # lines of the widest worn edge
APART = 2  # lines between two that are compared
USUAL = 0.95  # the quantile of the changes inside the picture that counts as usual
LEAST = 7 / 255  # a usual change is taken to be at least this
UNUSUAL = 2.5  # an edge is worn where it changes by this many times the usual


class Margins(NamedTuple):
    """The pixels to cut off at each side."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def cut(self, pixels: Pixels) -> Pixels:
        """The inner part of `pixels` (H, W, C), as a view."""
        height, width = pixels.shape[:2]
        return pixels[self.top : height - self.bottom, self.left : width - self.right]

    def __str__(self) -> str:
        """The sides with margins, such as `left 5, right 4`."""
        return ", ".join(f"{side} {width}" for side, width in self._asdict().items() if width)


def without_margins(task: Task) -> tuple[Task, str]:
    """`task` with the margins of its styles cut off, and a note that says so, or ''.

    A style with a mask is not changed: the mask already says what counts.
    """
    margins = [
        Margins() if style.mask is not None else margins_of(style.pixels) for style in task.styles
    ]
    if not any(map(any, margins)):
        return task, ""
    pairs = list(zip(task.styles, margins, strict=True))
    styles = tuple(replace(style, pixels=found.cut(style.pixels)) for style, found in pairs)
    return replace(task, styles=styles), _note(pairs)


def margins_of(pixels: Pixels) -> Margins:
    """The margins of a picture (H, W, 3), in its own pixels."""
    seen = to_pixels(shrink(to_tensor(pixels, "cpu"), LONGEST))
    if min(seen.shape[:2]) < SHORTEST:
        return Margins()
    strips = _strips(seen)
    worn = Margins(*(_worn(lines) for lines in _sides(strips.cut(seen))))
    factor = max(pixels.shape[:2]) / max(seen.shape[:2])
    return Margins(*(int(np.ceil((a + b) * factor)) for a, b in zip(strips, worn, strict=True)))


def _note(pairs: Sequence[tuple[Style, Margins]]) -> str:
    """What was cut off each style, as text."""
    parts = []
    for number, (style, margins) in enumerate(pairs, start=1):
        if any(margins):
            height, width = style.pixels.shape[:2]
            which = f"style {number}" if len(pairs) > 1 else "the style"
            parts.append(f"{which}, in pixels of {width} x {height}: {margins}")
    return f"margins cut off {'; '.join(parts)} (a white mask would keep them)"


def _sides(pixels: Pixels) -> list[Array]:
    """The lines of a picture, from each side to the inside: top, bottom, left, right."""
    columns = pixels.transpose(1, 0, 2)
    return [pixels, pixels[::-1], columns, columns[::-1]]


def _strips(pixels: Pixels) -> Margins:
    """The strips of paper or black."""
    top, bottom, left, right = (_Strip.of(lines) for lines in _sides(pixels))
    height, width = pixels.shape[:2]
    return Margins(
        top.width(height, bottom),
        bottom.width(height, top),
        left.width(width, right),
        right.width(width, left),
    )


class _Strip(NamedTuple):
    """A strip of one colour at a side; none if it has 0 lines."""

    lines: int
    colour: Array

    @classmethod
    def of(cls, lines: Array) -> _Strip:
        """The strip at the start of `lines` (N, M, 3); the ends of lines may belong to other
        sides."""
        away = round(lines.shape[1] * PAIRED)
        middle = lines[:, away : lines.shape[1] - away]
        colour = np.median(middle[0], axis=0)
        near = (np.abs(middle - colour).max(2) <= TOLERANCE).mean(1)
        return cls(_end(near) if _is_bare(colour) else 0, colour)

    def width(self, length: int, opposite: _Strip) -> int:
        """Its number of lines, of `length` in total; 0 if it is too wide for a margin."""
        alike = opposite.lines and np.abs(self.colour - opposite.colour).max() <= 2 * TOLERANCE
        return self.lines if self.lines <= length * (PAIRED if alike else SINGLE) else 0


def _is_bare(colour: Array) -> bool:
    """Whether `colour` is that of paper, or black."""
    darkest, brightest = float(colour.min()), float(colour.max())
    is_paper = darkest >= PAPER and brightest - darkest <= NEUTRAL
    return is_paper or brightest <= BLACK


def _end(near: Array) -> int:
    """The line at which a strip ends, from its share of each line; 0: there is no strip."""
    begun = int(np.argmin(near >= FULL))  # also 0 if all lines are full
    gone = np.flatnonzero(near[begun : begun + ENDING + 1] < GONE)
    if not begun or not gone.size:
        return 0
    end = begun + int(gone[0])
    inside = near[end : round(len(near) * (1 - PAIRED)) - WORN]  # the other side may have one too
    return 0 if (inside >= FULL).any() else end


def _worn(lines: Array) -> int:
    """The number of lines of a worn edge at the start of `lines` (N, M, 3); 0: none."""
    inner = lines[:, WORN : lines.shape[1] - WORN]
    means = inner.mean(1)
    changes = np.abs(means[APART:] - means[:-APART]).max(1)
    usual = max(float(np.quantile(changes[WORN:-WORN], USUAL)), LEAST)
    settled = np.flatnonzero(changes[:WORN] <= usual)
    if changes[0] < UNUSUAL * usual or not settled.size:
        return 0
    looks = np.concatenate([means, inner.std(1)], axis=1)
    nearest = np.abs(looks[WORN:-WORN] - looks[0]).max(1).min()
    return int(settled[0]) + 1 if nearest > TOLERANCE else 0
