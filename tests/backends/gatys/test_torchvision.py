"""Networks of torchvision, with random weights in files of the right form."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from support.gatys import install_torchvision, install_weights, painting, photograph, run, task
from support.playground import Playground
from torch import Tensor

from nstd.backend import Style
from nstd.backends.gatys import Gatys, Options, footprint
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.networks import NETWORKS, OWN, load
from nstd.backends.gatys.original import DEVIATION, MEAN
from nstd.backends.weights_registry import PREFIX, REGISTRY
from nstd.errors import BackendError, WeightsError

NAMES = [name for name in NETWORKS if name not in OWN]
SQUEEZENET = "torchvision:squeezenet1_1"

pytestmark = pytest.mark.xdist_group("torchvision")
"""One process imports it, which takes two seconds, and not every one that collects this module."""


@pytest.fixture(autouse=True)
def _no_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))


@pytest.mark.parametrize("name", NAMES)
def test_layers_and_files_are_those_of_torchvision(name: str) -> None:
    """The nodes after rectifications, and what SqueezeNet joins; the file, and its size."""
    from torchvision.models import (  # type: ignore[import-untyped]
        get_model,
        get_model_weights,
    )
    from torchvision.models.feature_extraction import (  # type: ignore[import-untyped]
        get_graph_node_names,
    )

    with torch.device("meta"):
        model = get_model(name.removeprefix(PREFIX))
    rectified = {path for path, layer in model.named_modules() if isinstance(layer, torch.nn.ReLU)}
    _, nodes = get_graph_node_names(model, suppress_diff_warning=True)
    expected = [
        node
        for node in nodes
        if node.startswith("features.") and (node in rectified or node.endswith(".cat"))
    ]
    assert list(NETWORKS[name].layers) == expected
    trained = get_model_weights(name.removeprefix(PREFIX)).IMAGENET1K_V1
    assert REGISTRY[name].url == trained.url
    assert REGISTRY[name].size == pytest.approx(trained.meta["_file_size"] * 2**20)


def test_every_network_can_be_installed() -> None:
    """And the other way round."""
    assert {name for name in REGISTRY if name.startswith(PREFIX)} == set(NAMES)


def test_options_are_checked_without_torch() -> None:
    """Also layers: the daemon imports neither torch nor torchvision for them."""
    code = f"""
import sys
from nstd.backends.gatys.options import Options
options = Options(network={SQUEEZENET!r}, style_layers=["features.1", "features.3.cat"])
assert options.layers == (("features.1", "features.3.cat"), ("features.7.cat",))
assert options.recipe.relative
sys.exit(sum(name in sys.modules for name in ("torch", "torchvision")))
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_layer_that_is_no_node_is_refused_with_those_that_are() -> None:
    """A convolution before its rectification is none either."""
    with pytest.raises(ValidationError, match=r"has no layer 'features.0'; it has features.2, "):
        Options(network="torchvision:vgg11_bn", style_layers=("features.0",))


def own_features(name: str, file: Path, picture: Tensor, layers: list[str]) -> dict[str, Tensor]:
    """The features that torchvision itself computes with the weights in `file`."""
    from torchvision.models import get_model
    from torchvision.models.feature_extraction import create_feature_extractor

    with torch.device("meta"):
        model = get_model(name.removeprefix(PREFIX))
    model.features.to_empty(device="cpu")
    state = torch.load(file, weights_only=True)
    kept = {key: value for key, value in state.items() if key.startswith("features.")}
    kept |= {
        key: torch.tensor(0) for key in model.state_dict() if key.endswith("num_batches_tracked")
    }
    model.load_state_dict(kept, strict=False, assign=True)
    model.classifier = torch.nn.Identity()
    normalised = (picture - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[
        :, None, None
    ]
    extract = create_feature_extractor(model.eval(), layers, suppress_diff_warning=True)
    found: dict[str, Tensor] = extract(normalised)
    return found


@pytest.mark.parametrize(
    ("name", "shift", "layers"),
    [
        ("torchvision:vgg11_bn", 0, ["features.2", "features.6", "features.17", "features.20"]),
        (SQUEEZENET, 1, ["features.1", "features.4.squeeze_activation", "features.7.cat"]),
    ],
)
def test_features_are_those_of_torchvision_inside_the_border(
    name: str, shift: int, layers: list[str], tmp_path: Path
) -> None:
    """Batch normalisation included; windows that torchvision begins at the border, without
    padding, begin one pixel before it."""
    install_torchvision(tmp_path, name)
    picture = torch.rand(1, 3, 160, 192)
    request = NetworkRequest(name, (), tuple(layers), "max", 0, "cpu", "float32", tmp_path)
    found = dict(load(request).features(picture, layers))
    assert list(found) == layers
    theirs = own_features(
        name, tmp_path / REGISTRY[name].file, picture[..., shift:, shift:], layers
    )
    for layer in layers:
        stride, halo = NETWORKS[name].reaches[layer]
        height, width = found[layer].shape[2:]
        assert (height, width) == (160 // stride, 192 // stride)
        edge = -(-halo // stride) + 1
        rows, columns = slice(edge, height - edge), slice(edge, width - edge)
        moved = theirs[layer][
            ..., edge - shift : height - edge - shift, edge - shift : width - edge - shift
        ]
        assert moved.numel() > 0
        torch.testing.assert_close(found[layer][..., rows, columns], moved, rtol=1e-4, atol=1e-4)


def test_only_what_is_wanted_is_computed(tmp_path: Path) -> None:
    """Fewer layers, one after another, from one network."""
    install_torchvision(tmp_path, SQUEEZENET)
    layers = ("features.1", "features.4.cat")
    request = NetworkRequest(SQUEEZENET, (), layers, "average", 0, "cpu", "float32", tmp_path)
    network = load(request)
    picture = torch.rand(1, 3, 33, 47)
    both = dict(network.features(picture, layers))
    assert [tuple(x.shape[2:]) for x in both.values()] == [(17, 24), (9, 12)]
    ((name, alone),) = network.features(picture, layers[:1])
    assert name == "features.1"
    torch.testing.assert_close(alone, both["features.1"])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_job_runs_on_it_and_leaves_it_warm(tmp_path: Path, precision: str) -> None:
    """Relative moments and L-BFGS; the second job needs no file any more."""
    digest = install_torchvision(tmp_path, SQUEEZENET)
    given = task(network=SQUEEZENET, weights=tmp_path, steps=15, precision=precision)
    backend = Gatys()
    made, seen = run(given, backend)
    used = {"name": SQUEEZENET, "sha256": digest, "precision": precision, "tile": None}
    assert made.network == used
    assert seen[-1].losses["total"] < 0.8 * seen[0].losses["total"]
    (tmp_path / REGISTRY[SQUEEZENET].file).unlink()
    np.testing.assert_array_equal(run(given, backend)[0].pixels, made.pixels)


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (33, 31)])
def test_small_and_odd_pictures_are_pictures_too(tmp_path: Path, size: tuple[int, int]) -> None:
    """Where torchvision's own windows would find nothing."""
    install_torchvision(tmp_path, SQUEEZENET)
    content, style = photograph(*size), Style(painting(*size))
    made, _ = run(task(content, style, network=SQUEEZENET, weights=tmp_path, steps=3))
    assert made.pixels.shape == content.shape
    assert np.isfinite(made.pixels).all()


def test_memory_that_was_asked_for_is_like_what_was_measured() -> None:
    """VGG-16 takes the same with batch normalisation and without; a little more is asked for."""
    for precision, measured in NETWORKS["vgg16"].footprints.items():
        asked = NETWORKS["torchvision:vgg16_bn"].footprints[precision]
        assert measured.per_pixel < asked.per_pixel < 1.5 * measured.per_pixel
        assert measured.always < asked.always


def test_a_job_that_does_not_fit_is_made_in_tiles_or_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the memory that was asked for, before its weights are read."""
    whole = task(photograph(600, 600), network=SQUEEZENET)
    tiled = replace(whole, options=whole.options.model_copy(update={"tile": 128}))
    monkeypatch.setattr(footprint, "free", lambda _: footprint.needed(tiled))
    assert footprint.admitted(whole).options.tile == 128
    monkeypatch.setattr(footprint, "free", lambda _: 100 << 20)
    with pytest.raises(BackendError, match=f"{SQUEEZENET} at 600 x 600 pixels needs") as caught:
        footprint.admitted(whole)
    assert caught.value.code == "out_of_memory"


def test_absent_weights_are_told_with_the_command(tmp_path: Path) -> None:
    """Nothing falls back in silence."""
    with pytest.raises(WeightsError, match="not installed") as caught:
        run(task(network=SQUEEZENET, weights=tmp_path))
    assert caught.value.code == "weights_missing"
    assert f"nstd networks install {SQUEEZENET}" in caught.value.hint


@pytest.mark.parametrize("wrong", [{}, {"features.0.weight": torch.zeros(64, 3, 5, 5)}])
def test_weights_of_another_network_are_refused(tmp_path: Path, wrong: dict[str, Tensor]) -> None:
    """Without its layers, or with others."""
    install_weights(tmp_path, wrong, SQUEEZENET)
    with pytest.raises(WeightsError, match="not the weights of this network") as caught:
        run(task(network=SQUEEZENET, weights=tmp_path))
    assert caught.value.code == "weights_corrupt"


def test_a_sidecar_asks_for_it(playground: Playground, tmp_path: Path) -> None:
    """From the file, which its name vouches for or a person, to the record of the picture."""
    digest = install_torchvision(tmp_path, SQUEEZENET)
    file = tmp_path / REGISTRY[SQUEEZENET].file
    install = ("networks", "install", "-c", str(playground.config_path), SQUEEZENET)
    refused = playground.command(*install, "--from", str(file))
    assert refused.returncode == 1
    assert "should begin with b8a52dc0" in refused.stderr
    done = playground.command(*install, "--from", str(file), "--sha256", digest)
    assert done.returncode == 0, done.stderr
    options = {"network": SQUEEZENET, "style_layers": ["features.1", "features.3.cat"]}
    playground.pair("beach", backend="gatys", options=options | {"steps": 5})
    done = playground.once()
    assert done.returncode == 0, done.stderr
    record = playground.record("beach")
    assert record["network"]["name"] == SQUEEZENET
    assert record["network"]["sha256"] == digest
