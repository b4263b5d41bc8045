"""The embedded network that learned from VGG-19."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from making.fixed import tensor
from making.student import original
from making.student.teacher import Teacher
from making.textures import textures
from support.gatys import photograph, run, task

from nstd.backends.gatys import fixed, student
from nstd.backends.gatys.layer_names import FIXED, TAUGHT
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.networks import NETWORKS, load
from nstd.backends.gatys.statistic import Statistic, statistic

MOST = 3_000_000  # bytes of the file in the package
LAYERS = NETWORKS["student"].layers


def request(precision: str = "float32") -> NetworkRequest:
    """For no pictures at all."""
    return NetworkRequest("student", (), LAYERS, "average", 0, "cpu", precision, Path())


def picture(height: int = 128, width: int = 160) -> torch.Tensor:
    """A photograph."""
    return torch.from_numpy(photograph(height, width)).permute(2, 0, 1)[None]


def test_it_sees_with_the_first_member_of_fixed() -> None:
    """Whose layers are the same to the last bit, and so are their maps."""
    ours, theirs = student.load(request()), fixed.load(request())
    features, expected = (dict(n.features(picture(), FIXED["a"])) for n in (ours, theirs))
    assert list(features) == list(FIXED["a"])
    for layer in FIXED["a"]:
        assert torch.equal(features[layer], expected[layer])
        assert torch.equal(ours.turn(layer), theirs.turn(layer))


def test_it_has_five_stages_and_a_map_for_each_layer() -> None:
    """A map is symmetric, and none of its directions is free: there the picture could do as it
    likes."""
    network = student.load(request())
    features = dict(network.features(picture(), LAYERS))
    assert list(features) == list(LAYERS)
    assert features[TAUGHT[-1]].shape[2:] == (8, 10)  # the fifth stage of 128 x 160 pixels
    for layer in TAUGHT:
        turn = network.turn(layer)
        assert turn.shape == (features[layer].shape[1],) * 2
        assert float((turn - turn.T).abs().max() / turn.abs().max()) < 1e-2
        values = torch.linalg.eigvalsh(turn)
        assert values.min() > 1e-3 * values.max()


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_is_the_same_whether_others_are_asked_for_or_not(layer: str) -> None:
    """And alone it is all that comes."""
    network = student.load(request())
    every = dict(network.features(picture(61, 75), LAYERS))
    alone = dict(network.features(picture(61, 75), {layer}))
    assert list(alone) == [layer]
    assert torch.equal(alone[layer], every[layer])


def test_its_maps_are_of_the_size_of_those_of_fixed() -> None:
    """So that no layer's floor is below the rounding of another."""
    network = student.load(request())
    for layer, x in network.features(picture(), LAYERS):
        assert 1e-3 < statistic(x).turned(network.turn(layer)).second.diag().mean() < 1e3, layer


def distances(found: list[Statistic]) -> np.ndarray:
    """Logarithms of the distances between all pairs of Gram matrices."""
    grams = [each.second for each in found]
    pairs = [(a, b) for number, a in enumerate(grams) for b in grams[:number]]
    return np.log([float((a - b).square().sum()) for a, b in pairs])


def test_it_tells_pictures_apart_as_its_teacher_does() -> None:
    """Distances between textures that it has not seen go with those of the real VGG-19, depth by
    depth, and more so than those of any layer of `fixed`."""
    drawn = textures([(photograph(160, 160) * 255).astype(np.uint8)], 10, 5)
    pictures = [tensor(each)[:, :, :160, :160] for each in drawn]
    teacher = Teacher(original())

    def seen(name: str, layer: str) -> np.ndarray:
        network = load(replace(request(), name=name))
        found = [statistic(x) for p in pictures for _, x in network.features(p, {layer})]
        return distances([each.turned(network.turn(layer)) for each in found])

    taught = dict(zip(TAUGHT, ("relu3_1", "relu4_1", "relu5_1"), strict=True))
    for layer, of_teacher in taught.items():
        answers = [teacher(p, {of_teacher})[of_teacher].float().relu() for p in pictures]
        wanted = distances([statistic(x) for x in answers])
        ours = np.corrcoef(wanted, seen("student", layer))[0, 1]
        theirs = [
            np.corrcoef(wanted, seen("fixed", other))[0, 1]
            for other in NETWORKS["fixed"].style_layers
        ]
        assert ours > 0.9, layer
        assert ours > max(theirs), layer


def test_its_file_is_small() -> None:
    """Filters of one byte and maps of two a value."""
    assert (Path(student.__file__).parent / student.FILE).stat().st_size < MOST


def test_a_job_of_it_paints_and_its_record_names_it() -> None:
    """The record has the hash of all that it computes with, both files together."""
    made, seen = run(task(photograph(96, 128), network="student", steps=36))
    assert seen[-1].losses["total"] < 0.9 * seen[0].losses["total"]
    assert made.network is not None
    assert made.network["name"] == "student"
    assert made.network["sha256"] == student.load(request()).sha256
    assert made.network["sha256"] != fixed.load(request()).sha256
