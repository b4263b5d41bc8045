"""Tiles: a picture is processed part by part, with the loss and gradient of the whole.

They differ only by rounding: the gradient by about 1e-6 in float32 and 5e-3 in bfloat16. The steps
of a descent increase this to a few levels of 255 per pixel in the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from nstd.backends.gatys.options import Options


class Box(NamedTuple):
    """A part of a map: rows `top` to `bottom`, columns `left` to `right`, without the ends."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def pixels(self) -> int:
        """Its number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def of(self, map_: Tensor) -> Tensor:
        """This part of a map (..., H, W)."""
        return map_[..., self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True)
class Tile:
    """The part of a picture whose features are `kept`, and the larger part that must be `seen`.

    Both in pixels. The seen and the kept part start at multiples of every stride, so that the
    windows of poolings are the same as in the whole picture.
    """

    kept: Box
    seen: Box

    def crop(self, features: Tensor, stride: int) -> Tensor:
        """The kept part of the features of the seen part, for a layer with this stride."""
        if self.kept == self.seen:
            return features
        kept, seen = _shrunk(self.kept, stride), _shrunk(self.seen, stride)
        inside = Box(
            kept.top - seen.top,
            kept.bottom - seen.top,
            kept.left - seen.left,
            kept.right - seen.left,
        )
        return inside.of(features)

    def place(self, map_: Tensor, stride: int) -> Tensor:
        """The kept part of a map of the whole picture, for a layer with this stride."""
        return _shrunk(self.kept, stride).of(map_)


def whole(height: int, width: int) -> Tile:
    """The single tile of a picture that is processed at once."""
    everything = Box(0, height, 0, width)
    return Tile(everything, everything)


def tiles_of(options: Options, height: int, width: int) -> list[Tile]:
    """The tiles of a picture of that size with `options`; only one if it is small."""
    side = options.tile_side(height, width)
    if side is None:
        return [whole(height, width)]
    style_layers, content_layers = options.layers
    reaches = [options.spec.reaches[layer] for layer in (*style_layers, *content_layers)]
    stride, halo = max(reach.stride for reach in reaches), max(reach.halo for reach in reaches)
    return tiles(height, width, side, stride, halo)


def tiles(height: int, width: int, side: int, stride: int, halo: int) -> list[Tile]:
    """The tiles of a picture, each of about `side` pixels.

    `stride` is the largest of all layers; `halo` is how far, in pixels, features depend on others.
    """
    side, halo = (positions(length, stride) * stride for length in (side, halo))
    return [
        Tile(Box(top, bottom, left, right), Box(*_around(top, bottom, halo, height), *seen))
        for top, bottom in _cuts(height, side)
        for left, right in _cuts(width, side)
        for seen in [_around(left, right, halo, width)]
    ]


def _cuts(length: int, side: int) -> list[tuple[int, int]]:
    return [(start, min(start + side, length)) for start in range(0, length, side)]


def _around(start: int, end: int, halo: int, length: int) -> tuple[int, int]:
    return max(0, start - halo), min(end + halo, length)


def positions(length: int, stride: int) -> int:
    """The positions of a layer along `length` pixels; pooling keeps an odd last row or column."""
    return -(-length // stride)


def _shrunk(box: Box, stride: int) -> Box:
    """The box in positions of a layer."""
    return Box(*(positions(side, stride) for side in box))
