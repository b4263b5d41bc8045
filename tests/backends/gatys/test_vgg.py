"""VGG from a small file that holds only the shallow layers a test needs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.gatys import install_weights as install
from support.gatys import interrupted
from torch import Tensor
from torch.nn import functional

from nstd.backend import Progress, Style, Task
from nstd.backends.gatys import Gatys, Options
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.original import DEVIATION, MEAN
from nstd.backends.gatys.statistic import statistic
from nstd.backends.gatys.tensors import to_tensor
from nstd.backends.gatys.vgg import empty_layers, load
from nstd.backends.gatys.wasserstein import Wasserstein
from nstd.backends.weights_registry import REGISTRY, RETRAINED
from nstd.errors import WeightsError

SHALLOW = ("relu1_1", "relu1_2", "relu2_1")


def shallow_state() -> dict[str, Tensor]:
    """Random weights of the first three convolutions, and a key of the classifier."""
    generator = torch.Generator().manual_seed(0)
    state = {"classifier.0.weight": torch.zeros(2)}
    for index, (into, out) in {0: (3, 64), 2: (64, 64), 5: (64, 128)}.items():
        shape = (out, into, 3, 3)
        state[f"features.{index}.weight"] = 0.1 * torch.randn(shape, generator=generator)
        state[f"features.{index}.bias"] = torch.zeros(out)
    return state


def request(
    folder: Path, layers: tuple[str, ...] = SHALLOW, pooling: str = "max"
) -> NetworkRequest:
    """What the engine asks of the loader."""
    return NetworkRequest(RETRAINED, (), layers, pooling, 0, "cpu", "float32", folder)


def test_features_are_those_of_the_formula(tmp_path: Path) -> None:
    """ImageNet's normalisation, edges repeated at the first convolution, rectified, pooled."""
    state = shallow_state()
    digest = install(tmp_path, state)
    network = load(request(tmp_path))
    assert network.sha256 == digest
    picture = torch.rand(1, 3, 10, 12)
    found = dict(network.features(picture, SHALLOW))
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


@pytest.mark.xdist_group("torchvision")
@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_the_layers_are_those_of_torchvision(name: str) -> None:
    """Names and shapes of all weights, so that its files fit; but for the last pooling."""
    import torchvision  # type: ignore[import-untyped]  # takes three seconds

    ours = empty_layers(name, (NETWORKS[name].layers[-1],))
    with torch.device("meta"):
        theirs: torch.nn.Sequential = getattr(torchvision.models, name)().features[:-1]
    assert [type(layer) for layer in ours] == [type(layer) for layer in theirs]
    assert len(NETWORKS[name].layers) == sum(isinstance(x, torch.nn.Conv2d) for x in theirs)
    shapes = [{k: v.shape for k, v in each.state_dict().items()} for each in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_a_worker_does_without_torchvision() -> None:
    """Its import takes 160 MB."""
    code = "import sys, nstd.backends.gatys.engine; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("other", ["average", "l2"])
def test_pooling_keeps_activations_in_range(tmp_path: Path, other: str) -> None:
    """Averages and roots are scaled, as the weights were trained on maxima."""
    install(tmp_path, shallow_state())
    picture = torch.rand(1, 3, 32, 32)
    sizes = [
        dict(load(request(tmp_path, pooling=kind)).features(picture, ("relu2_1",)))[
            "relu2_1"
        ].mean()
        for kind in ("max", other)
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
    path = tmp_path / REGISTRY[RETRAINED].file
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
        network=RETRAINED,
        steps=12,
        style_loss="gram",
        content_layers=("relu2_1",),
        style_layers=("relu1_1", "relu1_2"),
        precision="float32",
    )
    rng = np.random.default_rng(0)
    content, style = rng.random((2, 32, 32, 3), dtype=np.float32)
    task = Task(content, (Style(style**2),), options, "cpu", tmp_path)
    backend = Gatys()
    seen: list[Progress] = []
    first = backend.run(task, seen.append)
    used = {"name": RETRAINED, "sha256": digest, "precision": "float32", "tile": None}
    assert first.network == used
    assert seen[-1].losses["style"] < seen[0].losses["style"]
    (tmp_path / REGISTRY[RETRAINED].file).unlink()
    np.testing.assert_array_equal(backend.run(task, seen.append).pixels, first.pixels)


def ladder_task(folder: Path, state: bytes | None = None, **options: Any) -> Task:
    """A job of three levels: 128, 181 and 256 px."""
    y, x = np.mgrid[0:64, 0:256].astype(np.float32) / 64
    content = np.stack([0.3 + 0.4 * y, x / 4, 0.5 + 0.4 * np.sin(3 * x)], 2)
    style = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    shallow = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1")}
    every = Options(**({"network": RETRAINED, "steps": 18} | shallow | options))
    return Task(content, (Style(style),), every, "cpu", folder, state)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("style_loss", ["w2", "gram", "moments"])
def test_every_loss_falls_with_every_optimiser(
    tmp_path: Path, style_loss: str, optimizer: str
) -> None:
    """Over the whole ladder."""
    install(tmp_path, shallow_state())
    job = ladder_task(tmp_path, style_loss=style_loss, optimizer=optimizer)
    seen: list[Progress] = []
    result = Gatys().run(job, seen.append)
    assert np.isfinite(result.pixels).all()
    assert {progress.level for progress in seen} == {1, 2, 3}
    assert seen[-1].losses["total"] < seen[0].losses["total"]


@pytest.mark.parametrize("stop", [4, 9, 10, 11, 13, 17])
def test_an_interrupted_ladder_goes_on_to_the_same_picture(tmp_path: Path, stop: int) -> None:
    """To the bit, inside a level and where the moments are carried to the next."""
    install(tmp_path, shallow_state())
    whole = Gatys().run(ladder_task(tmp_path), lambda progress: None)
    saved = interrupted(ladder_task(tmp_path), stop)
    seen: list[Progress] = []
    again = Gatys().run(ladder_task(tmp_path, saved), seen.append)
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    assert seen[0].step in {stop, stop - 1}


def test_the_default_loss_is_crowsons_to_the_letter(tmp_path: Path) -> None:
    """Mean squares x 0.015, W2 with layer weights 256 and 64, nine-point variation x 2."""
    install(tmp_path, shallow_state())
    job = ladder_task(tmp_path, steps=1, init="noise", precision="float32")
    job = replace(job, content=job.content[:, :100])  # narrow: one level
    seen: list[Progress] = []
    Gatys().run(job, seen.append)
    assert seen[0].picture is not None
    x, content, style = (
        to_tensor(pixels, "cpu")
        for pixels in (seen[0].picture(), job.content, job.styles[0].pixels)
    )
    network = load(request(tmp_path))
    given, target, shapes = (dict(network.features(each, SHALLOW)) for each in (x, style, content))
    w2 = [
        Wasserstein(statistic(target[layer]))(statistic(given[layer]))
        for layer in ("relu1_1", "relu2_1")
    ]
    dx, dy = x.diff(dim=3).square().mean(), x.diff(dim=2).square().mean()
    one = (x[..., 1:, 1:] - x[..., :-1, :-1]).square().mean()
    two = (x[..., 1:, :-1] - x[..., :-1, 1:]).square().mean()
    expected = {
        "content": (given["relu2_1"] - shapes["relu2_1"]).square().mean(),
        "style": (256 * w2[0] + 64 * w2[1]) / 320,
        "tv": 2 * (dx / 3 + dy / 3 + one / 12 + two / 12),
    }
    weights = {"content": 0.015, "style": 1.0, "tv": 2.0}
    total = sum(weights[name] * float(loss) for name, loss in expected.items())
    for name, loss in expected.items():
        assert seen[0].losses[name] == pytest.approx(float(loss), rel=1e-4)
    assert seen[0].losses["total"] == pytest.approx(total, rel=1e-4)


def test_missing_weights_are_told_with_the_command(tmp_path: Path) -> None:
    """Nothing falls back in silence."""
    with pytest.raises(WeightsError, match="not installed") as caught:
        load(request(tmp_path))
    assert "nstd networks install vgg19" in caught.value.hint


@pytest.fixture(autouse=True)
def _no_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
