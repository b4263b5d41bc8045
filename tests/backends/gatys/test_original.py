"""The original weights of VGG-19: read, scaled, and used for a picture."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from making.fixed import tensor
from making.vgg19_scales import photographs, scales
from support.gatys import painting, photograph, run, task
from support.original import as_published, forge_original, save_original

from nstd.backend import Style
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.original import package_scales
from nstd.backends.gatys.resizing import shrink
from nstd.backends.gatys.vgg import load
from nstd.backends.weights_registry import REGISTRY
from nstd.errors import WeightsError

LAYERS = NETWORKS["vgg19"].layers
SHALLOW = LAYERS[:3]
ROW = REGISTRY["vgg19"]


@pytest.fixture(scope="session")
def forged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of the original's form, whose weights are drawn at random."""
    folder = tmp_path_factory.mktemp("forged")
    forge_original(folder)
    return folder


def request(folder: Path, layers: tuple[str, ...] = SHALLOW) -> NetworkRequest:
    """What the engine asks of the loader."""
    return NetworkRequest("vgg19", (), layers, "max", 0, "cpu", "float32", folder)


def test_features_are_those_of_the_original_but_for_their_scales(forged: Path) -> None:
    """In all but the outermost positions, where the first convolution repeats the edge."""
    picture = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    held = torch.load(forged / ROW.file, weights_only=True)
    expected = as_published(held, picture, SHALLOW)
    factors = package_scales()
    for layer, found in load(request(forged)).features(picture, SHALLOW):
        wanted = expected[layer] * factors[layer]
        inner = (..., slice(3, -3), slice(3, -3))
        torch.testing.assert_close(found[inner], wanted[inner], rtol=1e-3, atol=1e-3)


def test_the_hash_is_of_the_values_of_all_layers(forged: Path) -> None:
    """Whichever layers a job needs; the file has its own."""
    one, other = load(request(forged)), load(request(forged, ("relu3_1",)))
    assert one.sha256 == other.sha256
    assert one.source == hashlib.sha256((forged / ROW.file).read_bytes()).hexdigest()
    assert one.sha256 != one.source


def test_the_record_has_the_hash_of_the_file_and_of_what_was_made(forged: Path) -> None:
    """And nothing is written beside the file."""
    before = sorted(forged.iterdir())
    options: dict[str, Any] = {
        "content_layers": ("relu2_1",),
        "style_layers": ("relu1_1", "relu2_1"),
    }
    job = task(photograph(32, 32), weights=forged, network="vgg19", steps=2, **options)
    made, _ = run(job)
    network = load(request(forged))
    assert made.network == {
        "name": "vgg19",
        "sha256": network.sha256,
        "source_sha256": network.source,
        "precision": "float32",
        "tile": None,
    }
    assert sorted(forged.iterdir()) == before


@pytest.mark.parametrize("wrong", ["key", "shape"])
def test_a_file_of_another_form_is_refused(forged: Path, tmp_path: Path, wrong: str) -> None:
    """Though a person has vouched for it."""
    held = torch.load(forged / ROW.file, weights_only=True)
    if wrong == "key":
        del held["block3_conv1_W_q"]
    else:
        held["block1_conv2_W_q"] = held["block1_conv2_W_q"][:, :, :1]
    save_original(held, tmp_path)
    with pytest.raises(WeightsError, match="not the weights") as caught:
        load(request(tmp_path, LAYERS[:5]))
    assert caught.value.code == "weights_corrupt"


def test_the_scales_make_mean_activations_one(forged: Path) -> None:
    """For any weights: of every layer, over all pictures together."""
    pytest.importorskip("skimage")
    pictures = [each[:96, :96] for each in photographs()[:2]]
    factors = scales(forged / ROW.file, pictures)
    held = torch.load(forged / ROW.file, weights_only=True)
    found = [as_published(held, tensor(each), SHALLOW) for each in pictures]
    for layer in SHALLOW:
        mean = sum(float(each[layer].mean()) for each in found) / len(found)
        assert mean * factors[layer] == pytest.approx(1, rel=0.05)


@pytest.fixture(scope="module")
def installed() -> Path:
    """The file of the original, where its package is installed."""
    assert ROW.package is not None
    if (path := ROW.package.file(ROW.file)) is None:
        pytest.skip(f"needs the package {ROW.package.name}: pip install 'nstd[vgg19]'")
    return path


def test_on_photographs_the_original_is_seen_with_mean_activation_one(installed: Path) -> None:
    """With the scales that ship, in every layer that has a part in a picture."""
    pytest.importorskip("skimage")
    layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
    network = load(request(Path("none"), layers))
    with torch.no_grad():
        given = [shrink(tensor(each), 256) for each in photographs()]
        found = [dict(network.features(each, layers)) for each in given]
    for layer in layers:
        mean = sum(float(each[layer].mean()) for each in found) / len(found)
        assert 0.7 < mean < 1.4, layer


def test_a_picture_of_the_real_vgg19_has_the_styles_colours_and_the_contents_shapes(
    installed: Path,
) -> None:
    """At 128 pixels, in few steps."""
    content, style = photograph(96, 128), painting(128, 128)
    job = task(content, Style(style), network="vgg19", precision="auto", steps=60)
    made, told = run(job)
    assert told[-1].losses["style"] < 0.3 * told[0].losses["style"]
    near = abs(made.pixels.mean((0, 1)) - style.mean((0, 1))).max()
    assert near < 0.5 * abs(content.mean((0, 1)) - style.mean((0, 1))).max()
    assert told[-1].losses["content"] < 0.9  # 1 has nothing to do with the content
    assert made.network is not None
    assert made.network["source_sha256"] == ROW.prefix
