"""Scenes whose motion is known: a camera over a picture, and a disc of another one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nstd.images.film.opencv import load_cv2

if TYPE_CHECKING:
    from nstd.backend import Pixels

Array = NDArray[np.float64]
Flow = NDArray[np.float32]
Shown = NDArray[np.bool_]

NOISE = 3 / 255  # deviation of the noise of a still shot
ROUNDING = 1e-6  # pixels
EDGE = 1.5  # pixels at the edge of the disc that are of both
SEEN = 0.8  # of each side of a picture is in the frame
RADIUS = 0.28  # of the disc, of the height of the frame


@dataclass(frozen=True)
class Layer:
    """A picture and, for each frame, the affine map (2, 3) from places of the frame to its own.

    `disc` is its middle and radius, in its own pixels, if only a disc of it is shown.
    """

    picture: Pixels
    views: Sequence[Array]
    disc: tuple[float, float, float] | None = None

    def places(self, number: int, at: Array) -> Array:
        """The places in the picture of the places `at` (..., 2) of a frame."""
        view = self.views[number]
        return np.asarray(at @ view[:, :2].T + view[:, 2])

    def before(self, number: int, at: Array) -> Array:
        """Where the places `at` of a frame were in the frame before."""
        view = self.views[number - 1]
        own = self.places(number, at) - view[:, 2]
        return np.asarray(own @ np.linalg.inv(view[:, :2]).T)

    def depth(self, number: int, at: Array) -> Array:
        """How far inside the disc the places of a frame are, in pixels; below 0 outside."""
        assert self.disc is not None
        column, row, radius = self.disc
        return np.asarray(
            radius - np.hypot(*np.moveaxis(self.places(number, at) - (column, row), -1, 0))
        )

    def seen(self, number: int, at: Array) -> Pixels:
        """What is seen of the picture at the places of a frame."""
        cv2 = load_cv2()
        x, y = np.moveaxis(self.places(number, at).astype(np.float32), -1, 0)
        border = cv2.BORDER_REFLECT
        pixels: Pixels = cv2.remap(self.picture, x, y, cv2.INTER_LANCZOS4, borderMode=border)
        return pixels


@dataclass(frozen=True)
class KnownScene:
    """A scene of `count` frames of `size` (height, width) in pixels.

    In the frame `cut` begins another picture, that of the last layer. `noise` is its deviation.
    """

    name: str
    size: tuple[int, int]
    count: int
    ground: Layer
    disc: Layer | None = None
    cut: int | None = None
    after_cut: Layer | None = None
    noise: float = 0.0

    @cached_property
    def frames(self) -> tuple[Pixels, ...]:
        """All frames, in 8 bits as those of a film."""
        return tuple(self._frame(number) for number in range(self.count))

    def motion(self, number: int) -> tuple[Flow, Shown]:
        """The true flow from a frame to the one before, and what was visible there."""
        at = self._places
        was = self._ground(number).before(number, at)
        visible = self._inside(was)
        if self.disc is not None:
            covered = self.disc.depth(number, at)
            visible &= (covered < -EDGE) & (self.disc.depth(number - 1, was) < -EDGE)
            moved = self.disc.before(number, at)
            was = np.where(covered[..., None] > 0, moved, was)
            visible |= (covered > EDGE) & self._inside(moved)
        return (was - at).astype(np.float32), visible & (number != self.cut)

    def _frame(self, number: int) -> Pixels:
        at = self._places
        pixels: Array = self._ground(number).seen(number, at).astype(np.float64)
        if self.disc is not None:
            share = (self.disc.depth(number, at) + 0.5).clip(0, 1)[..., None]
            pixels = share * self.disc.seen(number, at) + (1 - share) * pixels
        random = np.random.default_rng(number)
        pixels = pixels + self.noise * random.standard_normal(pixels.shape)
        return np.asarray(np.rint(pixels.clip(0, 1) * 255) / 255, np.float32)

    def _ground(self, number: int) -> Layer:
        if self.cut is None or number < self.cut:
            return self.ground
        assert self.after_cut is not None
        return self.after_cut

    @property
    def _places(self) -> Array:
        rows, columns = np.indices(self.size, dtype=np.float64)
        return np.stack([columns, rows], 2)

    def _inside(self, at: Array) -> Shown:
        height, width = self.size
        last = width - 1, height - 1
        return np.asarray(((at >= -ROUNDING) & (at <= np.add(last, ROUNDING))).all(-1))


def scenes(one: Pixels, other: Pixels, longest: int, count: int) -> list[KnownScene]:
    """The scenes of `count` frames over two pictures; `longest` is their longer side in pixels."""
    height, width, _ = one.shape
    factor = longest / max(height, width)
    size = round(height * factor), round(width * factor)
    unit = longest / 256  # of all motion, so that it is the same at any size
    near = SEEN / factor  # pixels of the picture for one of the frame
    pan = [_view(near, 2.6 * unit * t, 0.3 * unit * t) for t in range(count)]
    slow = [_view(near, (20 - 0.7 * t) * unit, 0) for t in range(count)]
    zoom = [_turned(near, 0.99**t, 0.004 * t, size) for t in range(count)]
    way = [_view(near, -0.15 * size[1] - 3.3 * unit * t, -0.8 * unit * t) for t in range(count)]
    disc = near * size[1] * 0.2, near * size[0] * 0.45, near * size[0] * RADIUS
    rest = Layer(one, [_view(near, 0, 0)] * count)
    return [
        KnownScene("still, noisy", size, count, rest, noise=NOISE),
        KnownScene("pan", size, count, Layer(one, pan)),
        KnownScene("zoom, turn", size, count, Layer(one, zoom)),
        KnownScene("disc moves", size, count, Layer(one, slow), Layer(other, way, disc)),
        KnownScene(
            "pan with cut", size, count, Layer(one, pan), None, count // 2, Layer(other, pan)
        ),
    ]


def _view(scale: float, right: float, down: float) -> Array:
    """A view from so many pixels of the frame to the right and down."""
    return scale * np.array([[1.0, 0.0, right], [0.0, 1.0, down]])


def _turned(near: float, zoom: float, turn: float, size: tuple[int, int]) -> Array:
    """A view that is turned, in radians, and scaled around the middle of the frame."""
    middle = np.array([size[1] / 2, size[0] / 2])
    cos, sin = np.cos(turn), np.sin(turn)
    linear = near * zoom * np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, near * middle - linear @ middle])
