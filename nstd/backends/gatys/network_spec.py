"""What the registry says of a network: its defaults, how far it sees, the memory that it takes.

Does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MEGABYTE = 1 << 20
PRECISIONS = ("float32", "bfloat16")


class Reach(NamedTuple):
    """The receptive field of a position of a layer, in pixels of the picture.

    Positions are `stride` pixels apart; each depends on its own `stride` x `stride` pixels, and on
    up to `halo` more pixels on every side.
    """

    stride: int
    halo: int


class Footprint(NamedTuple):
    """Bytes of a network: `always`, and `per_pixel` of one tile, including gradients."""

    always: int
    per_pixel: int


@dataclass(frozen=True)
class LossWeights:
    """The weights of the terms of the loss.

    `relative` terms are divided by their value at the start, so that the weights suit any
    network; the others have their own units. `layer_weights` are relative to each other; a style
    layer without one has 1. `diagonals` is the share of diagonal neighbours in total variation.
    `structure_weight` is the content's weight where its structure is compared; with more, flat
    parts of the picture show the cells.
    """

    content_weight: float = 0.3
    structure_weight: float = 0.06
    tv_weight: float = 0.5
    relative: bool = True
    layer_weights: Mapping[str, float] = field(default_factory=dict)
    diagonals: float = 0.0


@dataclass(frozen=True)
class Spec:
    """One row of the registry: the defaults of a network, and its loader.

    `general` is the recipe of all style losses that are not in `recipes`. With `recolors`, the
    content gets the styles' colours first. `budgets` has the evaluations per level by preset, the
    coarsest level first, the last number for all further levels; the size doubles every
    `per_octave` levels. `supersampling` has by preset how many times larger than asked a picture is
    painted, before it is made smaller; without a number it is painted at the size asked for. `warm`
    networks do not depend on the pictures. `footprints` are by precision.
    """

    loader: str
    reaches: Mapping[str, Reach]
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    style_loss: str
    pooling: str
    optimizer: str
    budgets: Mapping[str, tuple[int, ...]]
    warm: bool
    footprints: Mapping[str, Footprint]
    per_octave: int = 1
    supersampling: Mapping[str, float] = field(default_factory=dict)
    recolors: bool = False
    general: LossWeights = field(default_factory=LossWeights)
    recipes: Mapping[str, LossWeights] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers, in order."""
        return tuple(self.reaches)

    @property
    def usual(self) -> LossWeights:
        """The weights for the network's default style loss."""
        return self.recipe(self.style_loss)

    def recipe(self, style_loss: str) -> LossWeights:
        """The weights for `style_loss`."""
        return self.recipes.get(style_loss, self.general)
