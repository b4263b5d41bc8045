"""The options of the backend `gatys`, checked without torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nstd.backends.gatys.networks import NETWORKS, Spec

# Evaluations per level, the coarsest first; further levels get the last number.
EVALUATIONS: dict[str, tuple[int, ...]] = {
    "draft": (60, 40, 20),
    "normal": (150, 100, 50),
    "fine": (400, 250, 150),
}


class Options(BaseModel):
    """What a sidecar may say under `options`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Literal["fitted", "vgg19", "vgg16"] = Field(
        "fitted",
        description="What sees the pictures; fitted needs no download, see `nstd networks`.",
    )
    preset: Literal["draft", "normal", "fine"] = Field(
        "normal", description="How much work is spent; nothing else changes."
    )
    steps: int | None = Field(
        None, ge=1, le=100_000, description="Evaluations in all, instead of the preset's number."
    )
    content_weight: float = Field(
        0.15, ge=0, le=1000, description="How much the content's shapes count; more keeps more."
    )
    style_weight: float = Field(1.0, ge=0, le=1000, description="How much the style counts.")
    tv_weight: float = Field(
        0.5, ge=0, le=1000, description="How much total variation is punished; more is smoother."
    )
    content_layer: str | None = Field(
        None, description="Layer that is compared with the content; the network's default if unset."
    )
    style_layers: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Layers that are compared with the style; the network's default if unset.",
    )
    style_loss: Literal["auto", "gram", "moments"] = Field(
        "auto", description="gram: Gram matrices; moments: means and covariances."
    )
    pooling: Literal["max", "average"] = Field("max", description="How features are made smaller.")
    optimizer: Literal["auto", "lbfgs", "adam"] = Field(
        "auto", description="auto: lbfgs for fitted, adam for vgg."
    )
    learning_rate: float = Field(0.02, gt=0, le=1, description="Step of adam.")
    init: Literal["content", "noise"] = Field("content", description="What the descent starts at.")
    tolerance: float = Field(
        0.001,
        ge=0,
        lt=1,
        description="A level ends when ten steps lower the loss by less than this share of it.",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed gives the same picture.")

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        for layer in (*(self.style_layers or ()), self.content_layer):
            if layer is not None and layer not in self.spec.layers:
                known = ", ".join(self.spec.layers)
                raise ValueError(f"{self.network} has no layer {layer!r}; it has {known}")
        if not self.content_weight and not self.style_weight:
            raise ValueError("content_weight and style_weight cannot both be 0")
        return self

    @property
    def spec(self) -> Spec:
        """The network's row in the registry, which holds its defaults."""
        return NETWORKS[self.network]

    @property
    def layers(self) -> tuple[tuple[str, ...], str]:
        """The style layers and the content layer in effect."""
        return (
            self.style_layers or self.spec.style_layers,
            self.content_layer or self.spec.content_layer,
        )

    @property
    def optimizer_used(self) -> str:
        """The optimiser in effect."""
        return self.spec.optimizer if self.optimizer == "auto" else self.optimizer

    @property
    def style_loss_used(self) -> str:
        """The style loss in effect."""
        return self.spec.style_loss if self.style_loss == "auto" else self.style_loss

    @property
    def evaluations(self) -> tuple[int, ...]:
        """Evaluations per level, the coarsest first."""
        return EVALUATIONS[self.preset]
