"""The options of the backend `gatys`, checked without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nstd.backends.gatys.network_spec import LossWeights, Spec
from nstd.backends.gatys.networks import NETWORKS, OWN
from nstd.system.units import Seconds

LARGE = 1 << 20  # pixels; larger pictures are processed in tiles
TILE = 512


def usual(value: Callable[[Spec], object]) -> str:
    """The default of each network as text, like `0.15 for fitted, 0.015 for vgg19 and vgg16`.

    Without those of torchvision's networks: they have the defaults of `vgg19`, except for layers.
    """
    networks: dict[object, list[str]] = {}
    for name, spec in OWN.items():
        networks.setdefault(value(spec), []).append(name)
    return ", ".join(f"{default} for {' and '.join(names)}" for default, names in networks.items())


class Options(BaseModel):
    """What a sidecar may say under `options`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Literal[
        "fitted",
        "fixed",
        "student",
        "vgg19",
        "vgg19-torchvision",
        "vgg16",
        "torchvision:squeezenet1_0",
        "torchvision:squeezenet1_1",
        "torchvision:vgg11",
        "torchvision:vgg11_bn",
        "torchvision:vgg13",
        "torchvision:vgg13_bn",
        "torchvision:vgg16_bn",
        "torchvision:vgg19_bn",
    ] = Field(
        "student",
        description="What sees the pictures; fixed, student and fitted are always "
        "there, see `nstd networks`. torchvision:NAME has the defaults of vgg19, and layers "
        "named as its nodes, such as features.1.",
    )
    preset: Literal["draft", "normal", "fine"] = Field(
        "normal",
        description="How much work is spent. With fine, student and fixed also paint at twice the "
        "size and make the picture smaller in the end, so that strokes are crisp.",
    )
    steps: int | None = Field(
        None, ge=1, le=100_000, description="Evaluations in all, instead of the preset's number."
    )
    budget: Seconds | None = Field(
        None,
        gt=0,
        description="Time for the whole run, such as 60s, instead of a number of evaluations: the "
        "best picture by then. The result then depends on the speed of the machine.",
    )
    strength: float = Field(
        0.5,
        ge=0,
        le=1,
        description="From 0, the content itself, to 1, style alone: the content's weight times "
        "(1 - strength) / strength.",
    )
    content_weight: float | None = Field(
        None,
        ge=0,
        le=1000,
        description="How much the content's shapes count; more keeps more. "
        f"{usual(lambda spec: spec.usual.content_weight)}. "
        f"With content_loss structure {LossWeights.structure_weight:g}.",
    )
    style_weight: float = Field(1.0, ge=0, le=1000, description="How much the style counts.")
    tv_weight: float | None = Field(
        None,
        ge=0,
        le=1000,
        description="How much total variation is punished; more is smoother. "
        f"{usual(lambda spec: spec.usual.tv_weight)}.",
    )
    temporal_weight: float = Field(
        5.0,
        ge=0,
        le=100_000,
        description="In films, how much a frame stays near the one before it; more flickers less.",
    )
    long_term: bool = Field(
        False,
        description="In films, also stay near frames further back, where something was hidden in "
        "the one before.",
    )
    content_layers: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Layers that are compared with the content. "
        f"{usual(lambda spec: ', '.join(spec.content_layers))}.",
    )
    style_layers: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Layers that are compared with the style. "
        f"{usual(lambda spec: ', '.join(spec.style_layers))}.",
    )
    style_loss: Literal["auto", "gram", "moments", "w2"] = Field(
        "auto",
        description="gram: Gram matrices; moments: means and covariances; w2: Wasserstein "
        f"distance. auto: {usual(lambda spec: spec.style_loss)}.",
    )
    content_loss: Literal["features", "structure"] = Field(
        "features",
        description="features: each place looks as it does in the content; structure: places are "
        "as alike to each other as in the content, whatever they look like, so that shapes are "
        "painted anew and much of the content goes.",
    )
    pooling: Literal["auto", "max", "average", "l2"] = Field(
        "auto",
        description=f"How features are made smaller. auto: {usual(lambda spec: spec.pooling)}.",
    )
    optimizer: Literal["auto", "lbfgs", "adam"] = Field(
        "auto", description=f"auto: {usual(lambda spec: spec.optimizer)}."
    )
    learning_rate: float = Field(0.02, gt=0, le=1, description="Step of adam.")
    colors: Literal["style", "luminance", "match", "histogram"] = Field(
        "style",
        description="style: the style's colours; luminance: the content's, only light and dark are "
        "painted; match, histogram: the style takes the content's palette first.",
    )
    init: Literal["content", "noise"] = Field(
        "content",
        description="What the descent starts at; a picture that the sidecar gives goes before it.",
    )
    tolerance: float = Field(
        0.001,
        ge=0,
        lt=1,
        description="A level ends when ten steps lower the loss by less than this share of it.",
    )
    tile: int | None = Field(
        None,
        ge=64,
        le=16384,
        description="Pixels of the sides of the tiles that a picture is processed in, which saves "
        "memory. Sums are rounded otherwise, so that the picture differs by a few levels of 255; "
        "it is as good. By itself: "
        f"{TILE}, in pictures of more than {LARGE / 1e6:.2g} megapixels.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="What the network computes in. auto: bfloat16, which is faster, where the "
        "device has units for it; losses and the picture stay float32.",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed gives the same picture.")

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        for layer in (*(self.style_layers or ()), *(self.content_layers or ())):
            if layer not in self.spec.layers:
                known = ", ".join(self.spec.layers)
                raise ValueError(f"{self.network} has no layer {layer!r}; it has {known}")
        if self.steps is not None and self.budget is not None:
            raise ValueError("steps and budget exclude each other")
        if not self.recipe.content_weight and not self.style_weight:
            raise ValueError("content_weight and style_weight cannot both be 0")
        return self

    @property
    def spec(self) -> Spec:
        """The network's row in the registry, which holds its defaults."""
        return NETWORKS[self.network]

    @property
    def layers(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The style layers and the content layers in effect."""
        return (
            self.style_layers or self.spec.style_layers,
            self.content_layers or self.spec.content_layers,
        )

    @property
    def pooling_used(self) -> str:
        """The pooling in effect."""
        return self.spec.pooling if self.pooling == "auto" else self.pooling

    @property
    def optimizer_used(self) -> str:
        """The optimiser in effect."""
        return self.spec.optimizer if self.optimizer == "auto" else self.optimizer

    @property
    def style_loss_used(self) -> str:
        """The style loss in effect."""
        return self.spec.style_loss if self.style_loss == "auto" else self.style_loss

    @property
    def recipe(self) -> LossWeights:
        """The weights in effect: those given, else the network's for the style loss.

        `strength` changes the content's weight in both cases.
        """
        usual = self.spec.recipe(self.style_loss_used)
        content, tv = self.content_weight, self.tv_weight
        if content is None:
            by_place = self.content_loss == "features"
            content = usual.content_weight if by_place else usual.structure_weight
        return replace(
            usual,
            content_weight=self._relaxed(content),
            tv_weight=usual.tv_weight if tv is None else tv,
        )

    def _relaxed(self, content_weight: float) -> float:
        """The content's weight changed by `strength`; for 0 it would be infinite."""
        return content_weight * (1 - self.strength) / max(self.strength, 1e-9)

    def tile_side(self, height: int, width: int) -> int | None:
        """The side of the tiles, in pixels, for a picture of that size; None: one tile."""
        if self.tile is None:
            return TILE if height * width > LARGE else None
        return self.tile if max(height, width) > self.tile else None

    @property
    def supersampling(self) -> float:
        """How many times larger than asked a picture is painted, before it is made smaller."""
        return self.spec.supersampling.get(self.preset, 1.0)

    @property
    def evaluations(self) -> tuple[int, ...]:
        """The evaluations per level, the coarsest first."""
        return self.spec.budgets[self.preset]
