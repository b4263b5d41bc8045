"""VGG from a small file that holds only the shallow layers a test needs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nstd.backend import Progress, Style, Task
from nstd.backends.gatys import Gatys, Options
from nstd.backends.gatys.networks import NETWORKS, Request
from nstd.backends.gatys.vgg import DEVIATION, MEAN, empty_layers, load
from nstd.errors import WeightsError
from nstd.weights import REGISTRY

SHALLOW = ("relu1_1", "relu1_2", "relu2_1")


def install(folder: Path, state: dict[str, Tensor], name: str = "vgg19") -> str:
    """Write `state` where the weights of `name` belong, with its note; its SHA-256."""
    path = folder / REGISTRY[name].file
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".json").write_text(json.dumps({"sha256": digest}))
    return digest


def shallow_state() -> dict[str, Tensor]:
    """Random weights of the first three convolutions, and a key of the classifier."""
    generator = torch.Generator().manual_seed(0)
    state = {"classifier.0.weight": torch.zeros(2)}
    for index, (into, out) in {0: (3, 64), 2: (64, 64), 5: (64, 128)}.items():
        shape = (out, into, 3, 3)
        state[f"features.{index}.weight"] = 0.1 * torch.randn(shape, generator=generator)
        state[f"features.{index}.bias"] = torch.zeros(out)
    return state


def request(folder: Path, layers: tuple[str, ...] = SHALLOW, pooling: str = "max") -> Request:
    """What the engine asks of the loader."""
    return Request("vgg19", (), layers, pooling, 0, "cpu", folder)


def test_features_are_those_of_the_formula(tmp_path: Path) -> None:
    """ImageNet's normalisation, edges repeated at the first convolution, rectified, pooled."""
    state = shallow_state()
    digest = install(tmp_path, state)
    network = load(request(tmp_path))
    assert network.sha256 == digest
    picture = torch.rand(1, 3, 10, 12)
    found = network.features(picture, SHALLOW)
    x = (picture - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    x = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    one = functional.relu(functional.conv2d(x, state["features.0.weight"]))
    two = functional.relu(functional.conv2d(one, state["features.2.weight"], padding=1))
    three = functional.max_pool2d(two, 2)
    three = functional.relu(functional.conv2d(three, state["features.5.weight"], padding=1))
    for name, expected in zip(SHALLOW, (one, two, three), strict=True):
        torch.testing.assert_close(found[name], expected, atol=1e-4, rtol=1e-4)


def test_the_network_ends_after_the_last_layer_needed() -> None:
    """Up to relu4_2 there are ten convolutions in VGG-19; without weights nothing is allocated."""
    layers = empty_layers("vgg19", ("relu1_1", "relu4_2"))
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in layers) == 10
    assert not any(parameter.requires_grad for parameter in layers.parameters())
    assert {parameter.device.type for parameter in layers.parameters()} == {"meta"}


@pytest.mark.parametrize(("name", "count"), [("vgg16", 13), ("vgg19", 16)])
def test_the_registry_names_every_convolution(name: str, count: int) -> None:
    """The names agree with torchvision's own configuration."""
    assert len(NETWORKS[name].layers) == count
    whole = empty_layers(name, (NETWORKS[name].layers[-1],))
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in whole) == count


def test_average_pooling_keeps_activations_in_range(tmp_path: Path) -> None:
    """Averages are doubled, as the weights were trained on maxima."""
    install(tmp_path, shallow_state())
    picture = torch.rand(1, 3, 32, 32)
    sizes = [
        load(request(tmp_path, pooling=kind)).features(picture, ("relu2_1",))["relu2_1"].mean()
        for kind in ("max", "average")
    ]
    assert 0.5 < sizes[1] / sizes[0] < 2


def test_weights_without_the_layers_are_refused(tmp_path: Path) -> None:
    """Missing keys are told by name."""
    install(tmp_path, shallow_state())
    with pytest.raises(WeightsError, match="features") as caught:
        load(request(tmp_path, ("relu2_2",)))
    assert caught.value.code == "weights_corrupt"


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    """A file that fits in its keys only is no weights of this network."""
    state = shallow_state()
    state["features.2.weight"] = torch.zeros(64, 64, 5, 5)
    install(tmp_path, state)
    with pytest.raises(WeightsError) as caught:
        load(request(tmp_path))
    assert caught.value.code == "weights_corrupt"


def test_a_file_that_torch_cannot_read_is_refused(tmp_path: Path) -> None:
    """Bytes that are noted but are no weights give the same clear error."""
    path = tmp_path / REGISTRY["vgg19"].file
    path.write_bytes(b"no weights")
    digest = hashlib.sha256(b"no weights").hexdigest()
    path.with_name(path.name + ".json").write_text(json.dumps({"sha256": digest}))
    with pytest.raises(WeightsError) as caught:
        load(request(tmp_path))
    assert caught.value.code == "weights_corrupt"


def test_a_job_runs_on_it_and_leaves_it_warm(tmp_path: Path) -> None:
    """Adam and Gram matrices lower the loss; the second job needs no file any more."""
    digest = install(tmp_path, shallow_state())
    options = Options(
        network="vgg19", steps=12, content_layer="relu2_1", style_layers=("relu1_1", "relu1_2")
    )
    rng = np.random.default_rng(0)
    content, style = rng.random((2, 32, 32, 3), dtype=np.float32)
    task = Task(content, (Style(style**2),), options, "cpu", tmp_path)
    backend = Gatys()
    seen: list[Progress] = []
    first = backend.run(task, seen.append)
    assert first.network == {"name": "vgg19", "sha256": digest}
    assert seen[-1].losses["style"] < seen[0].losses["style"]
    (tmp_path / REGISTRY["vgg19"].file).unlink()
    np.testing.assert_array_equal(backend.run(task, seen.append).pixels, first.pixels)


def test_missing_weights_are_told_with_the_command(tmp_path: Path) -> None:
    """Nothing falls back in silence."""
    with pytest.raises(WeightsError, match="not installed") as caught:
        load(request(tmp_path))
    assert "nstd networks install vgg19" in caught.value.hint


@pytest.fixture(autouse=True)
def _no_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
