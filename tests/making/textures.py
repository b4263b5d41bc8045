"""Textures drawn at random, and photographs painted over: what `fixed` is calibrated on.

Dead leaves, flat shapes that hide one another, have the edges and the sizes of things in natural
pictures (Lee, Mumford, Huang, IJCV 2001); strokes along a flow are what painters make of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIDE = 256  # pixels of a texture's sides
LEAST = 100  # pixels of a part of a photograph, which is brought to that

Pixels = NDArray[np.uint8]  # (H, W, 3)
Field = NDArray[np.float64]  # (SIDE, SIDE)
Palette = NDArray[np.float64]  # (K, 3), 0 to 255


def textures(photographs: Sequence[Pixels], count: int, seed: int) -> Iterator[Pixels]:
    """`count` pictures of SIDE x SIDE pixels, in turn of each kind; the same for a seed."""
    rng = np.random.default_rng(seed)
    for kind in islice(cycle(KINDS), count):
        yield np.asarray(kind(rng, _part(rng, photographs)))


def _part(rng: Generator, photographs: Sequence[Pixels]) -> Image.Image:
    """A square of one of the photographs, from LEAST pixels wide to the whole."""
    picture = photographs[int(rng.integers(len(photographs)))]
    most = min(picture.shape[:2])
    side = round(np.exp(rng.uniform(np.log(min(LEAST, most)), np.log(most))))
    top, left = (rng.integers(length - side + 1) for length in picture.shape[:2])
    square = Image.fromarray(picture[top : top + side, left : left + side])
    return square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _palette(rng: Generator, part: Image.Image) -> Palette:
    """Two to eight colours: half of the time those of `part`, else any around one."""
    count = rng.integers(2, 9)
    if rng.random() < 0.5:
        return np.asarray(part, float).reshape(-1, 3)[rng.integers(SIDE * SIDE, size=count)]
    spread = rng.uniform(20, 110)
    return (rng.uniform(0, 255, 3) + rng.normal(0, spread, (count, 3))).clip(0, 255)


def _smooth(rng: Generator, fall: float) -> Field:
    """Noise of unit variance with a power spectrum that falls as frequency to the `-fall`."""
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    waves = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
    noise: Field = np.fft.irfft2(waves * frequency ** (-fall / 2), (SIDE, SIDE))
    noise /= noise.std()
    return noise


def _ranks(field: Field) -> Field:
    """Each value's rank among all, from 0 to below 1."""
    order = field.argsort(axis=None).argsort()
    return order.reshape(field.shape) / field.size


def _colour(rng: Generator, colour: NDArray[np.float64], jitter: float) -> tuple[int, ...]:
    return tuple(int(v) for v in (colour + rng.normal(0, jitter, 3)).clip(0, 255))


def _leaves(rng: Generator, part: Image.Image) -> Image.Image:
    """Dead leaves of one kind; their radii have the density r^-2, up to a limit."""
    palette = _palette(rng, part)
    image = Image.new("RGB", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    least, most, jitter = rng.uniform(2, 10), rng.uniform(20, 120), rng.uniform(0, 25)
    kind = rng.integers(3)
    for _ in range(int(np.clip(6 * SIDE**2 / (least * most), 300, 2500))):
        radius = 1 / rng.uniform(1 / most, 1 / least)
        x, y = rng.uniform(-10, SIDE + 10, 2)
        fill = _colour(rng, palette[rng.integers(len(palette))], jitter)
        if kind == 0:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, 4 if kind == 1 else 6))
            around = zip(x + radius * np.cos(angles), y + radius * np.sin(angles), strict=True)
            draw.polygon(list(around), fill)
    return image


def _contours(rng: Generator, part: Image.Image) -> Image.Image:
    """Bands of colour between the contours of a smooth field that is folded a few times."""
    palette = _palette(rng, part)
    field = _smooth(rng, rng.uniform(3, 6))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    angle = rng.uniform(0, np.pi)
    waves = (columns * np.cos(angle) + rows * np.sin(angle)) * rng.uniform(0, 0.6)
    folded = np.sin(field * rng.uniform(1, 14) + waves)
    folded += rng.uniform(0, 0.5) * _smooth(rng, 2.5)
    shades = palette[(_ranks(folded) * len(palette)).astype(int)]
    return Image.fromarray(shades.astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(rng.uniform(0, 1.5))
    )


def _clouds(rng: Generator, part: Image.Image) -> Image.Image:
    """Three smooth fields mixed to colours."""
    fall = rng.uniform(2, 4.5)
    fields = np.stack([_smooth(rng, fall) for _ in range(3)], 2)
    colours = fields @ rng.normal(0, rng.uniform(15, 50), (3, 3)) + rng.uniform(0, 255, 3)
    return Image.fromarray(colours.clip(0, 255).astype(np.uint8))


def _strokes(rng: Generator, ground: Image.Image) -> Image.Image:
    """`ground` painted over with strokes in its own colours, along a flow."""
    image = ground.filter(ImageFilter.GaussianBlur(2))
    colours = np.asarray(image, float)
    draw = ImageDraw.Draw(image)
    flow = _smooth(rng, rng.uniform(3, 6)) * rng.uniform(0.2, 2.5) + rng.uniform(0, np.pi)
    length = np.exp(rng.uniform(np.log(5), np.log(50)))
    width = max(1.0, length * rng.uniform(0.05, 0.5))
    jitter, turn = rng.uniform(3, 30), rng.uniform(0, 0.6)
    for _ in range(int(min(3500, rng.uniform(1.2, 4) * SIDE**2 / (length * width)))):
        x, y = rng.uniform(0, SIDE, 2)
        fill = _colour(rng, colours[int(y), int(x)], jitter)
        path = _path(x, y, flow, rng.normal(0, turn), length)
        draw.line(path, fill, max(1, round(width * rng.uniform(0.6, 1.4))), joint="curve")
    return image


def _path(x: float, y: float, flow: Field, turn: float, length: float) -> list[tuple[float, float]]:
    """Six points from (x, y), always at `turn` radians to `flow`."""
    points = [(x, y)]
    for _ in range(5):
        angle = flow[int(y) % SIDE, int(x) % SIDE] + turn
        x, y = x + length / 5 * np.cos(angle), y + length / 5 * np.sin(angle)
        points.append((x, y))
    return points


def _whole(rng: Generator, part: Image.Image) -> Image.Image:
    """The photograph as it is."""
    return part


def _painted_contours(rng: Generator, part: Image.Image) -> Image.Image:
    return _strokes(rng, _contours(rng, part))


KINDS: tuple[Callable[[Generator, Image.Image], Image.Image], ...] = (
    _whole,
    _strokes,
    _leaves,
    _contours,
    _clouds,
    _painted_contours,
)
"""Each makes a texture from a part of a photograph, which lends it its shapes or its colours."""
