"""Scenes whose motion is known: a drawn world, seen by a camera, and a disc that moves in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nstd.backend import Pixels

HEIGHT, WIDTH = 96, 128


def world(x: NDArray[np.float32], y: NDArray[np.float32], seed: int = 0) -> Pixels:
    """A plain without end: waves of many lengths and directions at the places x, y (H, W)."""
    rng = np.random.default_rng(seed)
    total = np.zeros((*x.shape, 3), np.float32)
    for length in (5, 7, 9, 12, 16, 23, 32, 45, 64):
        turn, start = rng.uniform(0, 2 * np.pi, 2)
        along = (np.cos(turn) * x + np.sin(turn) * y) / length
        total += np.sin(2 * np.pi * along + start)[..., None] * rng.uniform(-1, 1, 3)
    return np.clip(0.5 + 0.13 * total, 0, 1).astype(np.float32)


def seen(right: float = 0.0, down: float = 0.0, seed: int = 0) -> Pixels:
    """The world from a camera that has gone so many pixels."""
    rows, columns = np.indices((HEIGHT, WIDTH), dtype=np.float32)
    return world(columns + right, rows + down, seed)


def disc(at: float, radius: float = 20) -> tuple[Pixels, NDArray[np.bool_]]:
    """The world at rest with a patterned disc before it, `at` pixels from the left; its area."""
    rows, columns = np.indices((HEIGHT, WIDTH), dtype=np.float32)
    inside = np.hypot(columns - at, rows - HEIGHT / 2) < radius
    moving = world(columns - at + 500, rows, seed=1)
    return np.where(inside[..., None], moving, seen()), inside


def noisy(pixels: Pixels, seed: int, deviation: float = 2 / 255) -> Pixels:
    """`pixels` as a camera sees them, in 8 bits."""
    noise = deviation * np.random.default_rng(seed).standard_normal(pixels.shape)
    return np.asarray(np.rint((pixels + noise).clip(0, 1) * 255) / 255, np.float32)
