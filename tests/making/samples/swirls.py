"""A night of swirls: thousands of brush strokes that follow a flow around golden lights."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from making.samples.canvas import Array, H, W, finished, grid, noise, ramp, relief

EDDIES = [  # x, y, radius, strength; the sign is the sense of rotation
    (0.42, 0.36, 0.24, 1.0),
    (0.86, 0.50, 0.21, -1.0),
    (0.14, 0.70, 0.17, -0.9),
    (0.62, 0.80, 0.17, 0.9),
    (1.17, 0.84, 0.18, 0.9),
]
LIGHTS = [  # x, y, radius
    (1.13, 0.17, 0.13),
    (0.13, 0.15, 0.085),
    (0.70, 0.12, 0.06),
    (0.34, 0.90, 0.07),
    (0.93, 0.76, 0.055),
    (0.60, 0.55, 0.045),
    (1.25, 0.55, 0.05),
]
NIGHT = [
    (0.0, (0.04, 0.09, 0.28)),
    (0.25, (0.07, 0.20, 0.52)),
    (0.5, (0.10, 0.32, 0.66)),
    (0.7, (0.22, 0.58, 0.72)),
    (0.85, (0.62, 0.82, 0.76)),
    (1.0, (0.96, 0.92, 0.72)),
]
GLOW = [
    (0.0, (1.0, 0.97, 0.80)),
    (0.3, (1.0, 0.82, 0.22)),
    (0.6, (0.96, 0.55, 0.10)),
    (0.8, (0.78, 0.72, 0.30)),
    (1.0, (0.30, 0.62, 0.62)),
]
LAYERS = [  # strokes, width in pixels, length in steps, contrast: broad ones first
    (2600, 20, 16, 0.05),
    (6500, 12, 15, 0.09),
    (7000, 8, 13, 0.11),
]
STEP = 5.0  # pixels a stroke moves at a time


def swirls() -> Image.Image:
    """Draw the picture."""
    rng = np.random.default_rng(5)
    flow, plan = _flow(rng), _plan(rng)
    image = Image.fromarray((np.clip(plan, 0, 1) * 255).astype(np.uint8))
    for count, width, steps, contrast in LAYERS:
        starts = rng.uniform((0, 0), (W, H), (count, 2)).astype(np.float32)
        paths = _paths(flow, starts, steps)
        colors = _colors(rng, plan, starts, contrast)
        draw = ImageDraw.Draw(image)
        for path, color in zip(paths, colors, strict=True):
            _stroke(draw, path, color, width)
    canvas = np.asarray(image, dtype=np.float32) / 255
    weave = relief(noise(rng, 160, 160, octaves=2), 1, 1)
    return finished(canvas + 0.05 * weave[..., None])


def _flow(rng: np.random.Generator) -> Array:
    """The unit direction of a stroke at every pixel, (H, W, 2): eddies in a slow current."""
    x, y = grid()
    swell = noise(rng, 1.5, 2.5, octaves=2)
    u, v = np.full_like(x, 0.30), (swell - 0.5) * 0.9
    for cx, cy, radius, strength in EDDIES:
        dx, dy = x - cx, y - cy
        pull = strength * np.exp(-(dx**2 + dy**2) / (2 * (0.62 * radius) ** 2)) / radius
        u, v = (
            u - dy * pull * 1.8 - dx * abs(pull) * 0.25,
            v + dx * pull * 1.8 - dy * abs(pull) * 0.25,
        )
    for cx, cy, radius in LIGHTS:
        dx, dy = x - cx, y - cy
        near = np.exp(-(((dx**2 + dy**2) / (1.3 * radius) ** 2) ** 2)) * 6 / radius
        u, v = u - dy * near, v + dx * near
    flow = np.stack([u, v], axis=-1)
    unit: Array = flow / np.maximum(np.linalg.norm(flow, axis=-1, keepdims=True), 1e-6)
    return unit


def _plan(rng: np.random.Generator) -> Array:
    """The colour that a stroke has at every pixel, (H, W, 3)."""
    x, y = grid()
    tone = 0.42 * noise(rng, 2.5, 4, octaves=3) + 0.15
    for cx, cy, radius, strength in EDDIES:
        dx, dy = x - cx, y - cy
        distance = np.hypot(dx, dy) / radius
        arms = 0.5 + 0.5 * np.cos(2 * np.arctan2(dy, dx) * np.sign(strength) - 9 * distance)
        tone += 0.62 * arms * np.exp(-(distance**2) * 0.8)
    plan = ramp(tone - 0.16 * y, NIGHT)
    for cx, cy, radius in LIGHTS:
        distance = np.hypot(x - cx, y - cy) / radius
        rings = distance + 0.10 * np.sin(distance * 16)
        halo = np.clip(1.7 - distance * 1.15, 0, 1)[..., None]
        plan += (ramp(rings, GLOW) - plan) * halo
    return plan


def _paths(flow: Array, starts: Array, steps: int) -> Array:
    """Where each stroke goes, (N, steps, 2) in pixels: half upstream, half downstream."""
    halves = []
    for sense in (-1, 1):
        points, half = starts.copy(), []
        for _ in range(steps // 2):
            column = np.clip(points[:, 0].astype(int), 0, W - 1)
            row = np.clip(points[:, 1].astype(int), 0, H - 1)
            points = points + sense * STEP * flow[row, column]
            half.append(points)
        halves.append(half)
    return np.stack([*halves[0][::-1], starts, *halves[1]], axis=1)


def _colors(rng: np.random.Generator, plan: Array, starts: Array, contrast: float) -> Array:
    """A colour for each stroke: that of the plan, a little off; one in forty is vermilion."""
    columns, rows = starts.astype(int).T
    colors = plan[rows, columns]
    colors = colors * (1 + 2 * contrast * rng.standard_normal((len(starts), 1)))
    colors = colors + 0.3 * contrast * rng.standard_normal((len(starts), 3))
    stray = (rng.random(len(starts)) < 0.025) & (contrast > 0.08)
    colors[stray] = (0.80, 0.30, 0.14)
    clipped: Array = np.clip(colors, 0, 1).astype(np.float32)
    return clipped


def _stroke(draw: ImageDraw.ImageDraw, path: Array, color: Array, width: int) -> None:
    """A band of bristles: dark at one edge and light at the other, as thick paint is."""
    along = np.gradient(path, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-6)
    for place, light in ((0.5, 0.70), (0.0, 1.0), (-0.28, 1.22), (0.22, 0.92)):
        shade = tuple(int(255 * channel) for channel in np.clip(color * light, 0, 1))
        points = [(float(x), float(y)) for x, y in path + across * place * width]
        draw.line(
            points, shade, max(2, round(width * (0.95 if place == 0 else 0.28))), joint="curve"
        )
