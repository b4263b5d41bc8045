"""A still life: sunflowers in a glazed jug, and fruit on a striped cloth, lit from the left."""

from __future__ import annotations

import numpy as np
from PIL import Image

from making.samples.canvas import ASPECT, HEIGHT, WIDTH, Color, ramp, smoothstep
from making.samples.flowers import Flower, Leaf
from making.samples.tracer import (
    Array,
    Bounds,
    capsule,
    ellipsoid,
    length,
    merged,
    normal,
    openness,
    ring,
    shadow,
    trace,
    unit,
    vector,
    within,
)

SHARPNESS = 1.4  # rays per pixel and direction
EYE, LOOK_AT = vector(0.2, 1.75, 5.2), vector(0.0, 1.17, 0.0)
LIGHT = unit(vector(-0.62, 0.72, 0.62))
LAMP, AMBIENT = vector(1.18, 1.02, 0.80), vector(0.30, 0.34, 0.44)
WALL_Z = -1.5
BOUNDS = Bounds(vector(0.0, 1.1, 0.1), 2.05)

JUG = vector(-0.35, 0.0, -0.35)
APPLE, SECOND_APPLE = vector(0.78, 0.34, 0.62), vector(1.42, 0.33, 0.05)
ORANGE, LEMON = vector(0.22, 0.34, 0.95), vector(-1.18, 0.27, 0.78)
PEAR = vector(1.02, 0.36, -0.25)


FLOWERS = [
    Flower(vector(-0.98, 1.92, -0.20), unit(vector(-0.55, 0.35, 0.8)), 0.44),
    Flower(vector(-0.32, 2.30, -0.30), unit(vector(-0.05, 0.42, 0.9)), 0.47),
    Flower(vector(0.36, 1.98, -0.15), unit(vector(0.42, 0.22, 0.9)), 0.45),
    Flower(vector(-0.36, 1.68, 0.18), unit(vector(0.0, 0.05, 1.0)), 0.38),
]
LEAVES = [
    Leaf(vector(-0.86, 1.42, -0.1), unit(vector(-0.75, 0.45, 0.3))),
    Leaf(vector(0.22, 1.46, -0.1), unit(vector(0.8, 0.25, 0.3))),
]

MATERIALS: dict[
    str, tuple[list[tuple[float, Color]], float]
] = {  # colours from one end of the mottling to the other, and gloss
    "glaze": ([(0, (0.05, 0.20, 0.46)), (1, (0.90, 0.86, 0.74))], 0.9),
    "petal": ([(0, (0.98, 0.55, 0.03)), (1, (1.0, 0.80, 0.10))], 0.05),
    "heart": ([(0, (0.12, 0.05, 0.02)), (1, (0.34, 0.16, 0.05))], 0.05),
    "leaf": ([(0, (0.07, 0.22, 0.06)), (1, (0.22, 0.42, 0.10))], 0.15),
    "apple": ([(0, (0.55, 0.02, 0.03)), (0.7, (0.78, 0.10, 0.05)), (1.2, (0.9, 0.6, 0.15))], 0.6),
    "stalk": ([(0, (0.18, 0.11, 0.05)), (1, (0.22, 0.13, 0.07))], 0.0),
    "orange": ([(0, (0.92, 0.32, 0.02)), (1, (1.0, 0.44, 0.05))], 0.3),
    "lemon": ([(0, (0.95, 0.74, 0.06)), (1, (1.0, 0.86, 0.18))], 0.35),
    "pear": ([(0, (0.42, 0.52, 0.10)), (1, (0.74, 0.70, 0.20))], 0.3),
}


def sunflowers() -> Image.Image:
    """Draw the picture."""
    width, height = int(WIDTH * SHARPNESS), int(HEIGHT * SHARPNESS)
    rays = _rays(width, height)
    near = trace(_scene, BOUNDS, EYE, rays)
    with np.errstate(divide="ignore"):
        table = np.where(rays[:, 1] < 0, -EYE[1] / rays[:, 1], np.inf)
        wall = (WALL_Z - EYE[2]) / rays[:, 2]
    far = np.minimum(table, wall)
    color = np.empty_like(rays)
    solid = near < far
    color[solid] = _solid_color(EYE + near[solid, None] * rays[solid], rays[solid])
    behind = EYE + far[~solid, None] * rays[~solid]
    color[~solid] = _background(behind, (table < wall)[~solid])
    tone = (1 - np.exp(-1.5 * color)) ** (1 / 1.9)
    pixels = (np.clip(tone, 0, 1) * 255 + 0.5).astype(np.uint8).reshape(height, width, 3)
    return Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def _rays(width: int, height: int) -> Array:
    """The direction of the ray through each pixel, (N, 3)."""
    forward = unit(LOOK_AT - EYE)
    right = unit(np.cross(forward, vector(0, 1, 0)).astype(np.float32))
    up = np.cross(right, forward).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    across, above = (x / width - 0.5) * ASPECT, 0.5 - y / height
    view = forward + 0.62 * (across[..., None] * right + above[..., None] * up)
    return unit(view.reshape(-1, 3))


def _scene(p: Array) -> Array:
    nearest: Array = np.min([distance for distance, _ in _parts(p)], axis=0)
    return nearest


def _parts(p: Array) -> list[tuple[Array, str]]:
    """The distance to each solid, and what it is made of."""
    petals = [within(p, f.center, 1.1 * f.radius, f.petals) for f in FLOWERS]
    hearts = [within(p, f.center, 0.5 * f.radius, f.heart) for f in FLOWERS]
    green = [
        capsule(p, JUG + vector(0, 0.9, 0), f.center - 0.12 * f.facing, 0.028) for f in FLOWERS
    ]
    green += [within(p, leaf.center, 0.42, leaf.distance) for leaf in LEAVES]
    apples = [ring(p, apple, 0.13, 0.22) for apple in (APPLE, SECOND_APPLE)]
    tops = [vector(*apple) + vector(0, 0.12, 0) for apple in (APPLE, SECOND_APPLE)]
    stalks = [capsule(p, top, top + vector(0.05, 0.22, 0.02), 0.018) for top in tops]
    stalks.append(capsule(p, PEAR + vector(0, 0.62, 0), PEAR + vector(0.06, 0.84, 0), 0.018))
    return [
        (within(p, JUG + vector(0.05, 0.62, 0), 0.75, _jug), "glaze"),
        (np.min(petals, axis=0), "petal"),
        (np.min(hearts, axis=0), "heart"),
        (np.min(green, axis=0), "leaf"),
        (np.min(apples, axis=0), "apple"),
        (np.min(stalks, axis=0), "stalk"),
        (length(p - ORANGE) - 0.34, "orange"),
        (_lemon(p), "lemon"),
        (_pear(p), "pear"),
    ]


def _jug(p: Array) -> Array:
    """A round body, a neck, a lip, and a handle on the right."""
    body = ellipsoid(p, JUG + vector(0, 0.52, 0), vector(0.56, 0.54, 0.56))
    q = p - JUG
    neck = np.maximum(np.abs(np.hypot(q[:, 0], q[:, 2]) - 0.25) - 0.03, np.abs(q[:, 1] - 1.0) - 0.2)
    jug = merged(body, neck, 0.16)
    jug = merged(jug, ring(p, JUG + vector(0, 1.2, 0), 0.27, 0.04), 0.04)
    handle = np.hypot(np.hypot(q[:, 0] - 0.44, q[:, 1] - 0.86) - 0.24, q[:, 2]) - 0.05
    return merged(jug, handle, 0.05)


def _lemon(p: Array) -> Array:
    axis = unit(vector(0.9, 0.12, 0.45))
    tips = capsule(p, LEMON - 0.36 * axis, LEMON + 0.36 * axis, 0.05)
    q = p - LEMON
    along = (q @ axis)[:, None] * axis
    stretched = LEMON + (q - along) + along * 0.76
    return merged(length(stretched - LEMON) - 0.265, tips, 0.12)


def _pear(p: Array) -> Array:
    body = length(p - PEAR) - 0.37
    top = length(p - PEAR - vector(0.03, 0.46, 0)) - 0.19
    return merged(body, top, 0.3)


def _solid_color(points: Array, rays: Array) -> Array:
    parts = _parts(points)
    which = np.argmin([distance for distance, _ in parts], axis=0)
    facing = normal(_scene, points)
    base, gloss = np.zeros_like(points), np.zeros(len(points), np.float32)
    for index, (_, material) in enumerate(parts):
        mine = which == index
        if mine.any():
            base[mine], gloss[mine] = _material(material, points[mine])
    lifted = points + 0.01 * facing
    direct = np.clip(facing @ LIGHT, 0, 1) * shadow(_scene, BOUNDS, lifted, LIGHT)
    half = unit(LIGHT - rays)
    shine = gloss * np.clip((facing * half).sum(-1), 0, 1) ** 60 * (direct > 0)
    open_sky = openness(_scene, points, facing) * (0.65 + 0.35 * facing[:, 1])
    bounce = np.clip(-facing[:, 1] * 0.5 + 0.2, 0, 1)[:, None] * vector(0.25, 0.15, 0.10)
    light = direct[:, None] * LAMP + open_sky[:, None] * AMBIENT + bounce
    color: Array = base * light + shine[:, None]
    return color


def _material(name: str, p: Array) -> tuple[Array, float]:
    """Colours (N, 3) and gloss of a material at points."""
    x, y, z = p.T
    mottle = 0.5 + 0.25 * np.sin(9 * x + 5 * y + 3) * np.sin(8 * z - 7 * y)
    mottle += 0.25 * np.sin(23 * x - 19 * z)
    if name == "glaze":
        mottle = _jug_pattern(p)
    elif name == "apple":
        mottle = 0.6 * mottle + 0.6 * smoothstep(0.42, 0.62, y)  # yellow around the stalk
    stops, gloss = MATERIALS[name]
    return ramp(mottle, stops), gloss


def _jug_pattern(p: Array) -> Array:
    """1 on the jug's two bands and the wave between them, else 0."""
    height, around = p[:, 1], np.arctan2(p[:, 2] - JUG[2], p[:, 0] - JUG[0])
    lines = ((0.28, 0.025), (0.80, 0.025), (0.54 + 0.12 * np.sin(6 * around), 0.035))
    strips = [smoothstep(0.02, 0.0, np.abs(height - at) - half) for at, half in lines]
    pattern: Array = np.max(strips, axis=0)
    return pattern


def _background(points: Array, on_table: Array) -> Array:
    """The table with its cloth, and the wall, both with the shadows of the solids."""
    x, y, z = points.T
    grain = 0.5 + 0.5 * np.sin(34 * z + 3 * np.sin(2.1 * x + 4 * z) + 2 * np.sin(0.9 * x))
    wood = ramp(grain, [(0, (0.20, 0.10, 0.05)), (1, (0.40, 0.22, 0.11))])
    cloth = _cloth(x, z)
    edge = smoothstep(0.01, -0.01, np.abs(x - 0.1 + 0.25 * z) - 1.55)[:, None]
    table = wood + (cloth - wood) * edge
    plaster = 0.5 + 0.2 * np.sin(5 * x + 2 * np.sin(3 * y)) * np.sin(4 * y + 1.5 * np.sin(4 * x))
    glow = np.exp(-((x + 0.9) ** 2 + (y - 2.2) ** 2) / 3.5)
    wall = ramp(glow * 0.8 + 0.2 * plaster, [(0, (0.05, 0.13, 0.14)), (1, (0.34, 0.46, 0.40))])
    base = np.where(on_table[:, None], table, wall)
    facing = np.where(on_table[:, None], vector(0, 1, 0), vector(0, 0, 1))
    lifted = points + 0.01 * facing
    direct = (facing @ LIGHT) * shadow(_scene, BOUNDS, lifted, LIGHT)
    light = direct[:, None] * LAMP + openness(_scene, points, facing)[:, None] * AMBIENT
    color: Array = base * light
    return color


def _cloth(x: Array, z: Array) -> Array:
    """Cream linen with red and blue stripes, slightly slanted."""
    across = x + 0.25 * z
    weave = 0.94 + 0.06 * np.sin(150 * x) * np.sin(150 * z)
    red = smoothstep(0.02, 0.0, np.abs(across % 0.62 - 0.31) - 0.075)
    blue = smoothstep(0.015, 0.0, np.abs((across + 0.31) % 0.62 - 0.31) - 0.02)
    linen = ramp(red, [(0, (0.82, 0.74, 0.60)), (1, (0.66, 0.10, 0.08))])
    color: Array = (linen + (vector(0.10, 0.20, 0.42) - linen) * blue[:, None]) * weave[:, None]
    return color
