"""What a network is to the engine, and what its loader is asked for. Does not import torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Network(Protocol):
    """Turns a picture into features; frozen, on one device."""

    name: str
    sha256: str
    """SHA-256 of the weights file, or of the filters."""
    source: str | None
    """SHA-256 of the file that the filters were made from, if any."""

    def features(self, picture: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Features (1, C, H, W) of `picture` (1, 3, H, W), in [0, 1], after each named layer.

        One after the other, so that none is kept longer than it is used, in the forward and in the
        backward pass. The fastest memory format is channels last.
        """
        ...

    def turn(self, layer: str) -> Tensor | None:
        """The map (C, C) of features of `layer` before they are compared; None: no map.

        It is applied to their statistics, which is very fast.
        """
        ...

    def state(self) -> dict[str, Any] | None:
        """What a checkpoint must save of the network; None if its name is enough."""
        ...


@dataclass(frozen=True)
class NetworkRequest:
    """What a loader needs to make a network for one job.

    `pictures` are the content and the styles, (1, 3, H, W) in [0, 1]; `saved` is the `state` of
    the same network in a checkpoint. `precision` is `float32` or `bfloat16`.
    """

    name: str
    pictures: Sequence[Tensor]
    layers: tuple[str, ...]
    pooling: str
    seed: int
    device: str
    precision: str
    weights: Path
    saved: Mapping[str, Any] | None = None


class Loader(Protocol):
    """Makes a network; the function that `Spec.loader` names."""

    def __call__(self, request: NetworkRequest) -> Network: ...
