"""A small sphere tracer: solids described by how far away they are, lit by one lamp.

J. C. Hart: "Sphere tracing", The Visual Computer 12, 1996; soft shadows and ambient occlusion
after I. Quilez. Points are (N, 3) float32 arrays; y points up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Distance = Callable[[Array], Array]

_NEAR, _STEPS = 2e-3, 72


class Bounds(NamedTuple):
    """A sphere that holds every solid: rays that miss it need no tracing."""

    center: Array
    radius: float

    def span(self, origin: Array, direction: Array) -> tuple[Array, Array]:
        """Where rays enter and leave, as distances; leave < enter for a miss."""
        to_center = self.center - origin
        along = (to_center * direction).sum(-1)
        gap = self.radius**2 - (to_center**2).sum(-1) + along**2
        half = np.sqrt(np.maximum(gap, 0))
        leave = np.where(gap > 0, along + half, -1)
        return np.maximum(along - half, 0.02), leave


def vector(x: float, y: float, z: float) -> Array:
    """A point or direction."""
    return np.array([x, y, z], dtype=np.float32)


def length(v: Array) -> Array:
    """The lengths of vectors, (N, 3) to (N,)."""
    lengths: Array = np.linalg.norm(v, axis=-1)
    return lengths


def unit(v: Array) -> Array:
    """`v` at length 1."""
    return v / length(v)[..., None]


def ellipsoid(p: Array, center: Array, radii: Array) -> Array:
    """About the distance to an ellipsoid, exact at its surface."""
    q = p - center
    inner = length(q / radii)
    slope = length(q / radii**2)
    distance: Array = inner * (inner - 1) / np.maximum(slope, 1e-6)
    return distance


def capsule(p: Array, a: Array, b: Array, radius: float) -> Array:
    """The distance to a rod with round ends."""
    axis = b - a
    h = np.clip(((p - a) @ axis) / (axis @ axis), 0, 1)
    return length(p - a - h[:, None] * axis) - radius


def ring(p: Array, center: Array, radius: float, thickness: float) -> Array:
    """The distance to a torus that lies flat; thicker than its radius it is an apple."""
    q = p - center
    distance: Array = np.hypot(np.hypot(q[:, 0], q[:, 2]) - radius, q[:, 1]) - thickness
    return distance


def merged(a: Array, b: Array, smooth: float) -> Array:
    """The union of two solids with a fillet of about `smooth` between them."""
    h = np.clip(0.5 + 0.5 * (b - a) / smooth, 0, 1)
    return b + (a - b) * h - smooth * h * (1 - h)


def within(p: Array, center: Array, radius: float, solid: Distance) -> Array:
    """The distance to a solid that a ball holds, worked out only for points near the ball."""
    distance = length(p - center) - radius
    near = distance < 0.08
    distance[near] = solid(p[near])
    return distance


def trace(solid: Distance, bounds: Bounds, origin: Array, direction: Array) -> Array:
    """How far along each ray from `origin` the solid is met; infinity where it is not."""
    t, end = bounds.span(origin, direction)
    hit = np.full(len(direction), np.inf, np.float32)
    live = np.flatnonzero(end > t)
    for _ in range(_STEPS):
        gap = solid(origin + t[live, None] * direction[live])
        t[live] += 0.9 * gap
        met = gap < _NEAR
        hit[live[met]] = t[live[met]]
        live = live[~met & (t[live] < end[live])]
        if not live.size:
            break
    return hit


def shadow(solid: Distance, bounds: Bounds, points: Array, light: Array) -> Array:
    """How much of the lamp each point sees, 0 to 1, with a penumbra."""
    direction = np.broadcast_to(light, points.shape)
    t, end = bounds.span(points, direction)
    seen = np.ones(len(points), np.float32)
    live = np.flatnonzero(end > t)
    for _ in range(40):
        gap = solid(points[live] + t[live, None] * light)
        seen[live] = np.minimum(seen[live], np.clip(9 * gap / t[live], 0, 1))
        t[live] += np.clip(gap, 0.02, 0.4)
        live = live[(seen[live] > 0.01) & (t[live] < end[live])]
        if not live.size:
            break
    return seen


def openness(solid: Distance, points: Array, normals: Array) -> Array:
    """Ambient light that reaches each point past what is near it, 0.25 to 1."""
    closed = np.zeros(len(points), np.float32)
    for reach, share in ((0.06, 1.0), (0.16, 0.6), (0.36, 0.3)):
        closed += share * np.maximum(reach - solid(points + reach * normals), 0) / reach
    opened: Array = np.clip(1 - 0.5 * closed, 0.25, 1)
    return opened


def normal(solid: Distance, points: Array) -> Array:
    """The outward direction of the surface."""
    slope = np.zeros_like(points)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        step = vector(*corner)
        slope += step * solid(points + 1e-3 * step)[:, None]
    return unit(slope)
