"""Sunflowers and their leaves as solids for the tracer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from making.samples.tracer import Array, ellipsoid, unit, vector

ORIGIN = vector(0, 0, 0)


class Flower(NamedTuple):
    """A sunflower that looks along `facing`."""

    center: Array
    facing: Array
    radius: float

    def petals(self, p: Array) -> Array:
        """The distance to the two rows of petals."""
        u, v, w = self._local(p)
        angle, distance = np.arctan2(v, u), np.hypot(u, v)
        sector = np.float32(2 * np.pi / 13)
        rows = []
        for turn, reach in ((0.0, 1.0), (0.5, 0.86)):
            local = (angle / sector + turn) % 1 * sector - sector / 2
            along, across = distance * np.cos(local), distance * np.sin(local)
            lifted = w - 0.35 * (distance - 0.3 * self.radius) * (1.15 - reach)
            petal = np.stack([along - 0.62 * self.radius * reach, across, lifted], axis=-1)
            size = vector(0.42 * self.radius * reach, 0.15 * self.radius, 0.03)
            rows.append(ellipsoid(petal, ORIGIN, size))
        return np.minimum(*rows)

    def heart(self, p: Array) -> Array:
        """The distance to the disc of seeds."""
        u, v, w = self._local(p)
        size = vector(0.4 * self.radius, 0.4 * self.radius, 0.09)
        disc = ellipsoid(np.stack([u, v, w - 0.02], axis=-1), ORIGIN, size)
        seeds: Array = disc + 0.006 * np.sin(90 * u) * np.sin(90 * v)
        return seeds

    def _local(self, p: Array) -> tuple[Array, Array, Array]:
        right = unit(np.cross(vector(0, 1, 0), self.facing))
        q = p - self.center
        return q @ right, q @ np.cross(self.facing, right), q @ self.facing


class Leaf(NamedTuple):
    """A leaf that bends down towards its tip."""

    center: Array
    along: Array

    def distance(self, p: Array) -> Array:
        """The distance to the leaf."""
        side = unit(np.cross(self.along, vector(0.2, 0.3, 1)))
        q = p - self.center
        u, v, w = q @ self.along, q @ side, q @ np.cross(self.along, side)
        local = np.stack([u, v, w + 0.9 * u**2], axis=-1)
        return ellipsoid(local, ORIGIN, vector(0.36, 0.15, 0.025))
