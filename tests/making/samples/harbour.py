"""A harbour at sunset: mountains, a village, a lighthouse, and a sailing boat on the water."""

from __future__ import annotations

import numpy as np
from PIL import Image

from making.samples.canvas import (
    Array,
    Color,
    H,
    Point,
    blurred,
    finished,
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
from making.samples.village import headland, village

HORIZON = 0.585
SUN = (0.47, 0.43)
SUNLIGHT = (1.0, 0.86, 0.62)


def harbour() -> Image.Image:
    """Draw the picture."""
    rng = np.random.default_rng(11)
    canvas = _sky(rng)
    _mountains(canvas, rng)
    headland(canvas, rng)
    village(canvas, rng)
    _lighthouse(canvas, rng)
    _sea(canvas, rng)
    _boat(canvas, rng)
    _jetty(canvas, rng)
    return finished(canvas)


def _sky(rng: np.random.Generator) -> Array:
    x, y = grid()
    distance = np.hypot(x - SUN[0], (y - SUN[1]) * 1.25)
    sky = ramp(
        y,
        [
            (0.0, (0.13, 0.28, 0.52)),
            (0.25, (0.36, 0.54, 0.72)),
            (0.42, (0.78, 0.74, 0.68)),
            (HORIZON, (0.98, 0.72, 0.46)),
        ],
    )
    body = noise(rng, 1.6, 4.5, octaves=7, gain=0.55)
    cover = smoothstep(0.47, 0.68, body + 0.10 * (0.35 - y))
    lit = smoothstep(0.0, 0.06, relief(body, -10, 14) + 0.03)
    near = np.exp(-distance * 2.2)
    bright = ramp(near, [(0, (0.86, 0.80, 0.80)), (0.4, (1.0, 0.86, 0.70)), (1, (1, 0.9, 0.6))])
    shade = ramp(near, [(0, (0.42, 0.45, 0.58)), (0.4, (0.74, 0.52, 0.52)), (1, (1, 0.6, 0.4))])
    clouds = shade + (bright - shade) * lit[..., None]
    paint(sky, clouds, cover * 0.9 * smoothstep(HORIZON, 0.42, y))
    paint(sky, SUNLIGHT, np.clip(0.75 * np.exp(-((distance / 0.16) ** 1.3)), 0, 1))
    paint(sky, (1.0, 0.97, 0.86), smoothstep(0.052, 0.047, distance))
    return sky


def _mountains(canvas: Array, rng: np.random.Generator) -> None:
    """Three ranges, each nearer, darker and less hazy than the one before."""
    _, y = grid()
    ranges = [
        (0.46, 0.17, 3.0, (0.56, 0.56, 0.66), 0.25),
        (0.51, 0.13, 4.0, (0.36, 0.42, 0.54), 0.5),
        (0.555, 0.07, 5.0, (0.22, 0.33, 0.38), 0.8),
    ]
    for base, tall, cells, color, contrast in ranges:
        top = base + tall * (0.5 - ridge(rng, cells, gain=0.45))
        rock = noise(rng, cells * 3, cells * 4, octaves=5, gain=0.5)
        slope = np.clip(relief(rock, -9, -6) * 6 * contrast, -0.3, 0.3)
        mist = smoothstep(0.0, 0.14, y - top)[..., None] * 0.45
        shaded = np.array(color, np.float32) * (1 + slope[..., None])
        warm = shaded + (np.array((0.93, 0.74, 0.58), np.float32) - shaded) * mist
        paint(canvas, warm, smoothstep(-0.001, 0.001, y - top))


def _lighthouse(canvas: Array, rng: np.random.Generator) -> None:
    """A red and white tower on a rock, lit from the right."""
    x, y = grid()
    crest = 0.615 - 0.085 * np.exp(-(((x - 0.16) / 0.11) ** 2)) - 0.02 * ridge(rng, 14)
    rock = noise(rng, 18, 22, octaves=5, gain=0.6)
    light = np.clip(relief(rock, 7, -5) * 4 + 0.4, 0, 1)
    stone = ramp(
        light, [(0, (0.12, 0.11, 0.14)), (0.6, (0.42, 0.34, 0.31)), (1, (0.86, 0.64, 0.46))]
    )
    paint(canvas, stone, smoothstep(-0.001, 0.001, y - crest) * smoothstep(0.36, 0.30, x))
    foot, head, center = 0.545, 0.245, 0.16
    along = (y - head) / (foot - head)
    half = 0.021 + 0.013 * np.clip(along, 0, 1)
    across = (x - center) / half
    body = ((np.abs(across) < 1) & (along > 0) & (along < 1)).astype(np.float32)
    red = (np.floor(along * 5) % 2 == 1)[..., None]
    base = np.where(red, (0.76, 0.18, 0.14), (0.95, 0.92, 0.86)).astype(np.float32)
    round_light = 0.42 + 0.6 * np.sqrt(np.clip(1 - (across - 0.45) ** 2 / 2.2, 0, 1))
    paint(canvas, base * round_light[..., None], body)
    _lantern(canvas, (center, head))


def _lantern(canvas: Array, foot: Point) -> None:
    x, y = foot
    paint(canvas, (0.16, 0.15, 0.18), line([(x - 0.03, y), (x + 0.03, y)], 0.009))
    glass = [(x - 0.016, y), (x - 0.016, y - 0.036), (x + 0.016, y - 0.036), (x + 0.016, y)]
    paint(canvas, (1.0, 0.88, 0.55), polygon(glass))
    for post in (-0.016, 0.0, 0.016):
        paint(canvas, (0.2, 0.18, 0.2), line([(x + post, y), (x + post, y - 0.036)], 0.0025))
    cap = [(x - 0.021, y - 0.035), (x, y - 0.066), (x + 0.021, y - 0.035)]
    paint(canvas, (0.62, 0.16, 0.13), polygon(cap))


def _sea(canvas: Array, rng: np.random.Generator) -> None:
    """The picture above the horizon mirrored in waves that grow towards the viewer."""
    x, y = grid()
    depth = np.clip((y - HORIZON) / (1 - HORIZON), 0, 1)
    waves = _waves(rng, depth)
    mirrored = np.clip(HORIZON - (y - HORIZON) * 1.15 + (waves - 0.5) * 0.26 * (0.12 + depth), 0, 1)
    rows = np.minimum((mirrored * H).astype(int), int(HORIZON * H) - 1)
    columns = np.clip(((x + (waves - 0.5) * 0.03 * depth) * H).astype(int), 0, canvas.shape[1] - 1)
    mirror = canvas[rows, columns]
    deep = ramp(
        depth, [(0, (0.42, 0.46, 0.52)), (0.4, (0.13, 0.30, 0.40)), (1, (0.05, 0.16, 0.25))]
    )
    water = mirror * 0.62 + deep * 0.38
    water *= (0.66 + 0.68 * waves)[..., None]
    column = np.exp(-(((x - SUN[0]) / (0.035 + 0.13 * depth)) ** 2))
    glitter = smoothstep(0.56, 0.72, waves) * column
    paint(water, (1.0, 0.87, 0.58), glitter * 0.95)
    paint(canvas, water, smoothstep(HORIZON - 0.001, HORIZON + 0.001, y))


def _waves(rng: np.random.Generator, depth: Array) -> Array:
    """Wave crests in perspective: fine and flat at the horizon, long and broad at the front."""
    far, middle, near = (noise(rng, 16 / s, 90 / s, octaves=4, gain=0.55) for s in (1, 2.2, 4.5))
    front = smoothstep(0.35, 0.9, depth)
    back = smoothstep(0.3, 0.02, depth)
    waves: Array = far * back + near * front + middle * (1 - front - back).clip(0)
    return waves


def _boat(canvas: Array, rng: np.random.Generator) -> None:
    """A sailing boat with its reflection broken by the waves."""
    x, y = grid()
    water = 0.79
    layer, cover = np.zeros_like(canvas), np.zeros(y.shape, np.float32)
    for color, mask in _boat_parts(0.80, water):
        paint(layer, color, mask)
        cover = np.maximum(cover, mask)
    ripple = (noise(rng, 8, 60, octaves=3) - 0.5) * 0.05
    rows = np.clip(((2 * water - y + ripple * 0.8) * H).astype(int), 0, H - 1)
    columns = np.clip(((x + ripple) * H).astype(int), 0, canvas.shape[1] - 1)
    below = smoothstep(water - 0.003, water + 0.003, y)
    broken = cover[rows, columns] * below * (0.72 - 0.5 * (y - water) / (1 - water))
    paint(canvas, layer[rows, columns] * np.array((0.72, 0.80, 0.88), np.float32), broken)
    paint(canvas, layer, cover)
    foam = blurred(line([(0.66, water + 0.006), (0.97, water + 0.006)], 0.006), 0.004)
    paint(canvas, (0.95, 0.88, 0.78), foam * 0.7)


def _boat_parts(x: float, y: float) -> list[tuple[Color | Array, Array]]:
    """Colours and masks of the boat, back to front; `x` is the mast, `y` the water line."""
    gx, gy = grid()
    top = y - 0.47
    cloth = 0.5 + 0.5 * np.sin((gx - x) * 46 + (gy - top) * 7)
    main = [
        (x + 0.008, top + 0.02),
        (x + 0.06, y - 0.28),
        (x + 0.165, y - 0.085),
        (x + 0.008, y - 0.08),
    ]
    jib = [
        (x - 0.006, top + 0.055),
        (x - 0.05, y - 0.22),
        (x - 0.15, y - 0.07),
        (x - 0.006, y - 0.085),
    ]
    hull = [
        (x - 0.175, y - 0.062),
        (x + 0.175, y - 0.055),
        (x + 0.15, y - 0.012),
        (x + 0.11, y + 0.004),
    ]
    hull += [(x - 0.10, y + 0.004), (x - 0.14, y - 0.02)]
    stripe = [
        (x - 0.17, y - 0.056),
        (x + 0.173, y - 0.049),
        (x + 0.17, y - 0.037),
        (x - 0.162, y - 0.044),
    ]
    sail = ramp(cloth, [(0, (0.80, 0.66, 0.52)), (1, (1.0, 0.95, 0.84))])
    jib_sail = ramp(cloth, [(0, (0.72, 0.30, 0.20)), (1, (0.93, 0.52, 0.32))])
    planks = ramp((gy - y + 0.06) / 0.06, [(0, (0.20, 0.34, 0.46)), (1, (0.06, 0.12, 0.20))])
    return [
        ((0.30, 0.20, 0.14), line([(x, y - 0.05), (x, top)], 0.009)),
        ((0.30, 0.20, 0.14), line([(x, y - 0.082), (x + 0.17, y - 0.088)], 0.007)),
        (sail, polygon(main)),
        (jib_sail, polygon(jib)),
        ((0.45, 0.36, 0.30), line([main[1], (x + 0.008, y - 0.30)], 0.002)),
        ((0.45, 0.36, 0.30), line([(x + 0.11, y - 0.18), (x + 0.008, y - 0.19)], 0.002)),
        (planks, polygon(hull)),
        ((0.93, 0.86, 0.74), polygon(stripe)),
        ((0.80, 0.25, 0.17), polygon([(x, top), (x + 0.05, top + 0.012), (x, top + 0.024)])),
    ]


def _jetty(canvas: Array, rng: np.random.Generator) -> None:
    """Planks that lead away from the lower left corner, on posts."""
    _, y = grid()
    for x, top in ((0.30, 0.785), (0.375, 0.785), (0.335, 0.86), (0.295, 0.93)):
        paint(canvas, (0.13, 0.10, 0.10), line([(x, top), (x, top + 0.085)], 0.018))
        paint(canvas, (0.62, 0.45, 0.31), line([(x + 0.005, top), (x + 0.005, top + 0.075)], 0.005))
    deck = [(0.30, 0.81), (0.375, 0.81), (0.265, 1.01), (-0.04, 1.01)]
    side = [(0.375, 0.81), (0.377, 0.828), (0.295, 1.01), (0.265, 1.01)]
    near = 1 / (y - 0.70)  # grows towards the far end, as planks become narrower
    joint = smoothstep(0.38, 0.46, np.abs(near * 2.6 % 1 - 0.5))
    wood = ramp(
        noise(rng, 7, 90, octaves=4), [(0.1, (0.36, 0.26, 0.21)), (0.9, (0.80, 0.62, 0.46))]
    )
    wood *= (1 - 0.65 * joint)[..., None]
    paint(canvas, wood, polygon(deck))
    paint(canvas, (0.20, 0.14, 0.12), polygon(side))
