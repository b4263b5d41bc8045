"""A canvas to draw the samples on: noise, gradients, soft shapes, layers laid over each other.

Everything is drawn at twice the final size and made smaller at the end, so edges are smooth.
Coordinates are shares of the height: y runs from 0 at the top to 1, x from 0 to `ASPECT`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Array = NDArray[Any]
Color = Sequence[float]
Point = tuple[float, float]

WIDTH, HEIGHT = 640, 480
OVERSAMPLING = 2
W, H = WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING
ASPECT = WIDTH / HEIGHT


def grid() -> tuple[Array, Array]:
    """The x and y of every pixel centre."""
    y, x = np.mgrid[0:H, 0:W].astype(np.float32)
    return (x + 0.5) / H, (y + 0.5) / H


def noise(
    rng: np.random.Generator, cells_x: float, cells_y: float, octaves: int = 5, gain: float = 0.5
) -> Array:
    """Fractal value noise over the canvas, mean 0.5 and about in [0, 1].

    The coarsest octave has `cells_x` by `cells_y` cells over a height by height square.
    """
    total, weight, weights = np.zeros((H, W), np.float32), 1.0, 0.0
    for octave in range(octaves):
        columns = int(np.ceil(cells_x * ASPECT * 2**octave)) + 1
        rows = int(np.ceil(cells_y * 2**octave)) + 1
        lattice = Image.fromarray(rng.random((min(rows, H), min(columns, W)), dtype=np.float32))
        total += weight * np.asarray(lattice.resize((W, H), Image.Resampling.BICUBIC))
        weight, weights = weight * gain, weights + weight
    return 0.5 + (total / weights - 0.5) * 1.6


def ridge(rng: np.random.Generator, cells: float, octaves: int = 6, gain: float = 0.5) -> Array:
    """Fractal noise along x only, of shape (W,)."""
    row: Array = noise(rng, cells, 1, octaves, gain)[H // 3]
    return row


def relief(height: Array, dx: int, dy: int) -> Array:
    """How much higher each pixel lies than the one `dx` right and `dy` below: light from there."""
    padded = np.pad(height, ((abs(dy), abs(dy)), (abs(dx), abs(dx))), mode="edge")
    rows, columns = abs(dy) + dy, abs(dx) + dx
    higher: Array = height - padded[rows : rows + H, columns : columns + W]
    return higher


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between; `low` may be the larger."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def ramp(value: Array, stops: Sequence[tuple[float, Color]]) -> Array:
    """Colours by position: `stops` are (position, colour) in rising order."""
    positions = [position for position, _ in stops]
    channels = [
        np.interp(value, positions, [color[channel] for _, color in stops]) for channel in range(3)
    ]
    return np.stack(channels, axis=-1).astype(np.float32)


def polygon(points: Sequence[Point]) -> Array:
    """The inside of a polygon as a mask."""
    mask = Image.new("L", (W, H))
    ImageDraw.Draw(mask).polygon([(x * H, y * H) for x, y in points], fill=255)
    return np.asarray(mask, dtype=np.float32) / 255


def line(points: Sequence[Point], width: float) -> Array:
    """A line through `points` as a mask."""
    mask = Image.new("L", (W, H))
    thickness = max(1, round(width * H))
    ImageDraw.Draw(mask).line([(x * H, y * H) for x, y in points], 255, thickness, joint="curve")
    return np.asarray(mask, dtype=np.float32) / 255


def blurred(mask: Array, radius: float) -> Array:
    """A mask with soft edges; `radius` is a share of the height."""
    image = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    soft = image.filter(ImageFilter.GaussianBlur(radius * H))
    return np.asarray(soft, dtype=np.float32) / 255


def paint(canvas: Array, color: Color | Array, mask: Array) -> None:
    """Lay a colour, or a picture of colours, over the canvas where the mask says."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    pigment = np.asarray(color, dtype=np.float32)
    if pigment.ndim > 1:
        pigment = pigment[box]
    canvas[box] += (pigment - canvas[box]) * mask[box][..., None]


def finished(canvas: Array) -> Image.Image:
    """The canvas as a picture of its final size."""
    image = Image.fromarray((np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8))
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
