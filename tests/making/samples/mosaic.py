"""A mosaic: overlapping discs of small glazed tiles set in rings, with dark grout between."""

from __future__ import annotations

import numpy as np
from PIL import Image

from making.samples.canvas import ASPECT, Array, finished, grid, noise, smoothstep

TILE = 0.026  # width of a ring
GROUT = 0.0028
PALETTES = [  # colours of the rings from the centre out, again from the start after the last
    [(0.93, 0.74, 0.24), (0.85, 0.36, 0.13), (0.62, 0.10, 0.12), (0.95, 0.88, 0.72)],
    [(0.95, 0.88, 0.72), (0.10, 0.44, 0.50), (0.05, 0.20, 0.36), (0.86, 0.58, 0.20)],
    [(0.72, 0.14, 0.13), (0.94, 0.66, 0.22), (0.16, 0.50, 0.46), (0.09, 0.16, 0.32)],
    [(0.30, 0.58, 0.52), (0.93, 0.85, 0.66), (0.80, 0.30, 0.14), (0.42, 0.08, 0.14)],
]


def mosaic() -> Image.Image:
    """Draw the picture."""
    rng = np.random.default_rng(23)
    canvas = np.zeros((*grid()[0].shape, 3), np.float32)
    for x, y, radius in _discs(rng):
        _disc(canvas, rng, (x, y), radius)
    grain = noise(rng, 90, 90, octaves=2)
    return finished(canvas * (0.92 + 0.16 * grain[..., None]))


def _discs(rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Centres and radii: a grid of large discs first, then smaller ones over their seams."""
    discs = []
    for spacing, low, high in ((0.30, 0.25, 0.30), (0.27, 0.10, 0.17)):
        for row in np.arange(-0.1, 1.2, spacing):
            for column in np.arange(-0.1, ASPECT + 0.2, spacing):
                dx, dy = rng.uniform(-0.08, 0.08, 2)
                discs.append((column + dx, row + dy, rng.uniform(low, high)))
    return discs


def _disc(
    canvas: Array, rng: np.random.Generator, center: tuple[float, float], radius: float
) -> None:
    """Lay one disc over the canvas; each ring has as many tiles as fit around it."""
    x, y = grid()
    dx, dy = x - center[0], y - center[1]
    distance = np.hypot(dx, dy)
    rows, columns = np.nonzero(distance < radius)
    if not rows.size:
        return
    r, angle = distance[rows, columns], np.arctan2(dy[rows, columns], dx[rows, columns])
    ring = (r / TILE).astype(int)
    around = np.maximum(1, np.round(2 * np.pi * (ring + 0.5) * 0.85)).astype(int)
    turn = (angle / (2 * np.pi) + 0.5 + 0.37 * ring) % 1 * around
    tile = turn.astype(int)
    radial, along = r - (ring + 0.5) * TILE, (turn - tile - 0.5) * (2 * np.pi * r / around)
    half = np.pi * r / around
    edge = np.minimum(TILE / 2 - np.abs(radial), half - np.abs(along))
    color = _tile_colors(rng, ring, tile)
    color *= (1 + _bevel(radial, along, angle, edge))[:, None]
    grout = np.array((0.10, 0.08, 0.09), np.float32)
    face = smoothstep(GROUT * 0.6, GROUT * 1.2, edge.astype(np.float32))[:, None]
    canvas[rows, columns] = grout + (color - grout) * face


def _tile_colors(rng: np.random.Generator, ring: Array, tile: Array) -> Array:
    """The palette's colour of the ring, each tile a little lighter, darker or stranger."""
    palette = np.array(PALETTES[int(rng.integers(len(PALETTES)))], np.float32)
    shift = int(rng.integers(4))
    bright = 1 + 0.16 * rng.standard_normal((64, 512, 1)).astype(np.float32)
    tint = 0.035 * rng.standard_normal((64, 512, 3)).astype(np.float32)
    colors: Array = palette[(ring // 2 + shift) % 4] * bright[ring, tile] + tint[ring, tile]
    return np.clip(colors, 0, 1)


def _bevel(radial: Array, along: Array, angle: Array, edge: Array) -> Array:
    """Light on the edges that face the upper left, shade on the others."""
    nx = np.where(
        TILE / 2 - np.abs(radial) <= edge,
        np.sign(radial) * np.cos(angle),
        -np.sign(along) * np.sin(angle),
    )
    ny = np.where(
        TILE / 2 - np.abs(radial) <= edge,
        np.sign(radial) * np.sin(angle),
        np.sign(along) * np.cos(angle),
    )
    rim = np.exp(-np.maximum(edge - GROUT, 0) / 0.0035)
    light: Array = -(nx + ny) * 0.38 * rim
    return light
