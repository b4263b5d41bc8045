"""The village of the harbour: a green hill, houses in rows, a church tower, a quay."""

from __future__ import annotations

import numpy as np

from making.samples.canvas import (
    ASPECT,
    Array,
    Color,
    Point,
    grid,
    line,
    noise,
    paint,
    polygon,
    ramp,
    relief,
    ridge,
    smoothstep,
)


def headland(canvas: Array, rng: np.random.Generator) -> None:
    """The green hill on the right that the village stands on, with bushes and a quay."""
    x, y = grid()
    top = 0.60 - 0.235 * smoothstep(0.66, 1.25, x) - 0.02 * ridge(rng, 8)
    bushes = noise(rng, 26, 30, octaves=4, gain=0.65)
    light = np.clip(relief(bushes, -6, -5) * 4 + 0.45, 0, 1)
    grass = ramp(
        light, [(0, (0.09, 0.17, 0.12)), (0.5, (0.27, 0.38, 0.18)), (1, (0.68, 0.62, 0.26))]
    )
    paint(canvas, grass, smoothstep(-0.001, 0.001, y - top) * smoothstep(0.66, 0.70, x))
    stones = noise(rng, 40, 70, octaves=2)
    wall = ramp(stones, [(0.2, (0.30, 0.25, 0.24)), (0.8, (0.62, 0.52, 0.44))])
    paint(canvas, wall, polygon([(0.70, 0.565), (ASPECT, 0.556), (ASPECT, 0.6), (0.70, 0.6)]))


def village(canvas: Array, rng: np.random.Generator) -> None:
    """Houses in rows up the hill, the farthest first, and a church tower among them."""
    rows = [(0.455, 1.06, 0.040), (0.495, 0.94, 0.048), (0.535, 0.84, 0.056), (0.572, 0.75, 0.064)]
    walls = [(0.93, 0.88, 0.78), (0.90, 0.72, 0.48), (0.86, 0.60, 0.50), (0.75, 0.80, 0.82)]
    for row, (base, start, size) in enumerate(rows):
        if row == 2:
            _tower(canvas, (1.12, 0.53))
        left = start
        while left < ASPECT:
            width = size * rng.uniform(0.9, 1.4)
            wall = walls[int(rng.integers(len(walls)))]
            foot = base + rng.uniform(-0.006, 0.006)
            _house(canvas, (left, foot), width, size * rng.uniform(0.8, 1.25), wall)
            left += width * rng.uniform(1.05, 1.55)


def _house(canvas: Array, foot: Point, width: float, height: float, wall: Color) -> None:
    """A gable in the sun on the left, a long side in shadow under a red roof on the right."""
    x, y = foot
    gable, eaves = x + width * 0.45, y - height
    peak = (x + width * 0.225, eaves - width * 0.28)
    end = x + width
    lit = np.array(wall, np.float32) * np.array((1.05, 0.98, 0.88), np.float32)
    paint(canvas, lit, polygon([(x, y), (x, eaves), peak, (gable, eaves), (gable, y)]))
    shadow = np.array(wall, np.float32) * np.array((0.60, 0.58, 0.68), np.float32)
    paint(canvas, shadow, polygon([(gable, y), (gable, eaves), (end, eaves), (end, y)]))
    ridge_end = (end - width * 0.06, peak[1])
    roof = [peak, ridge_end, (end + width * 0.03, eaves + 0.003), (gable, eaves + 0.003)]
    paint(canvas, (0.66, 0.27, 0.18), polygon(roof))
    paint(canvas, (0.88, 0.46, 0.28), line([(x - 0.003, eaves + 0.003), peak, ridge_end], 0.004))
    _windows(canvas, (x, eaves), width, height)


def _windows(canvas: Array, corner: Point, width: float, height: float) -> None:
    x, top = corner
    w, h = width * 0.09, height * 0.2
    for column in (0.12, 0.28, 0.56, 0.78):
        for row in (0.18, 0.58):
            left, upper = x + width * column, top + height * row
            box = [(left, upper), (left + w, upper), (left + w, upper + h), (left, upper + h)]
            paint(canvas, (0.17, 0.16, 0.22), polygon(box))


def _tower(canvas: Array, foot: Point) -> None:
    """The church tower with its pointed roof."""
    x, y = foot
    wide, tall = 0.036, 0.15
    middle = x + wide * 0.5
    lit = [(x, y), (x, y - tall), (middle, y - tall), (middle, y)]
    dark = [(middle, y), (middle, y - tall), (x + wide, y - tall), (x + wide, y)]
    paint(canvas, (0.94, 0.84, 0.68), polygon(lit))
    paint(canvas, (0.52, 0.47, 0.50), polygon(dark))
    peak = (middle, y - tall - 0.085)
    paint(canvas, (0.36, 0.44, 0.46), polygon([(x - 0.004, y - tall), peak, (middle, y - tall)]))
    roof_shadow = [(middle, y - tall), peak, (x + wide + 0.004, y - tall)]
    paint(canvas, (0.20, 0.26, 0.32), polygon(roof_shadow))
    window = [(x + 0.006, y - 0.11), (x + 0.012, y - 0.125), (x + 0.018, y - 0.11)]
    paint(
        canvas, (0.2, 0.17, 0.2), polygon([*window, (x + 0.018, y - 0.09), (x + 0.006, y - 0.09)])
    )
