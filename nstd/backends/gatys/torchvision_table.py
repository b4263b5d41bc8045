"""The networks of torchvision: their layers and defaults, without importing it.

Layers are named as the nodes of `torchvision.models.feature_extraction`. Only rectified features
are layers, and where SqueezeNet joins two such maps. How far a layer sees and what memory a network
takes is not written here: the network is asked, in the worker that is to run it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TypeVar

from nstd.backends.gatys.network_spec import PRECISIONS, Footprint, Reach, Spec
from nstd.backends.weights_registry import PREFIX

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Layers:
    """The names of all layers, in order, and those that are compared by default."""

    every: tuple[str, ...]
    style: tuple[str, ...]
    content: str


class Asked(Mapping[str, Answer]):
    """Properties of a network by key; the first look-up of one imports torchvision.

    `question` is the function of `nstd.backends.gatys.torchvision_properties` that finds them for
    the `layers` of the `network`.
    """

    def __init__(
        self, question: str, network: str, layers: tuple[str, ...], keys: Sequence[str]
    ) -> None:
        self._question, self._keys = question, keys
        self._network, self._layers = network, layers

    def __getitem__(self, key: str) -> Answer:
        """The property; KeyError for another key."""
        module = import_module("nstd.backends.gatys.torchvision_properties")
        ask = getattr(module, self._question)
        answers: Mapping[str, Answer] = ask(self._network, self._layers)
        return answers[key]

    def __iter__(self) -> Iterator[str]:
        """The keys, for which nothing is imported."""
        return iter(self._keys)

    def __len__(self) -> int:
        """The number of keys."""
        return len(self._keys)


def rows(base: Spec) -> dict[str, Spec]:
    """The rows of the registry, with the defaults of `base` but for the layers."""
    return {PREFIX + name: _row(PREFIX + name, layers, base) for name, layers in _NETWORKS.items()}


def _row(name: str, layers: _Layers, base: Spec) -> Spec:
    return replace(
        base,
        loader="nstd.backends.gatys.torchvision_network:load",
        reaches=Asked[Reach]("reaches_of", name, layers.every, layers.every),
        footprints=Asked[Footprint]("footprints_of", name, layers.every, PRECISIONS),
        style_layers=layers.style,
        content_layers=(layers.content,),
    )


def _vgg(*blocks: int, normalised: bool = False) -> _Layers:
    """Of each convolution the rectification; `normalised`: after batch normalisation.

    As in Gatys et al. (2016): the first of each block for the style, the second of the fourth
    block for the content.
    """
    index, found = 0, list[list[str]]()
    for units in blocks:
        step = 3 if normalised else 2
        found.append([f"features.{index + step * unit - 1}" for unit in range(1, units + 1)])
        index += step * units + 1  # and the pooling
    every = tuple(layer for block in found for layer in block)
    return _Layers(every, tuple(block[0] for block in found), found[3][1])


def _squeezenet(*stages: Sequence[int]) -> _Layers:
    """The rectifications of the first convolution and of the fire modules of each stage.

    A fire module (Iandola et al., 2016) squeezes the features into few channels, from which two
    convolutions make the features that it joins. For the style, the first layer of each stage; for
    the content, the second module of the stage whose stride is 8, as that of VGG's relu4_2.
    """
    parts = ("squeeze_activation", "expand1x1_activation", "expand3x3_activation", "cat")
    modules = [f"features.{number}" for stage in stages for number in stage]
    every = ("features.1", *(f"{module}.{part}" for module in modules for part in parts))
    style = ("features.1", *(f"features.{stage[0]}.cat" for stage in stages))
    return _Layers(every, style, f"features.{stages[1][1]}.cat")


_NETWORKS = {
    "squeezenet1_0": _squeezenet((3, 4, 5), (7, 8, 9, 10), (12,)),
    "squeezenet1_1": _squeezenet((3, 4), (6, 7), (9, 10, 11, 12)),
    "vgg11": _vgg(1, 1, 2, 2, 2),
    "vgg11_bn": _vgg(1, 1, 2, 2, 2, normalised=True),
    "vgg13": _vgg(2, 2, 2, 2, 2),
    "vgg13_bn": _vgg(2, 2, 2, 2, 2, normalised=True),
    "vgg16_bn": _vgg(2, 2, 3, 3, 3, normalised=True),
    "vgg19_bn": _vgg(2, 2, 4, 4, 4, normalised=True),
}
