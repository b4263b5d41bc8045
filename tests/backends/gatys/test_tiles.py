"""A picture in tiles gives what the whole picture gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from support.gatys import VGG, install_torchvision, install_vgg, narrow, run, task
from torch import Tensor
from torch.nn import functional

from nstd.backends.gatys import Options, networks, options
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.gatys.objective import Objective
from nstd.backends.gatys.regions import Painting, Region
from nstd.backends.gatys.tiles import tiles, whole

NETS: dict[str, dict[str, Any]] = {
    "fixed": {"network": "fixed"},
    "student": {"network": "student"},
    "fitted": {"network": "fitted"},
    "vgg19": VGG,
}
HEIGHT = 75
WIDTHS = {"student": 207}  # odd at almost every stage; no tile sees from one side to the other
WIDTH = 143  # the same for the other networks, which see less far


def rough(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """A picture (1, 3, H, W) in float64 with large shapes and grain."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 7, generator=generator, dtype=torch.float64)
    grain = torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64)
    shapes = functional.interpolate(coarse, (height, width), mode="bicubic")
    return (0.7 * shapes + 0.3 * grain).clamp(0, 1)


def objectives(
    given: dict[str, Any], regions: list[Region], folder: Path, width: int = WIDTH
) -> tuple[Objective, Objective]:
    """The whole, and in tiles, in float64."""
    wanted = Options(**({"tv_weight": 0.3} | given))
    layers = tuple(sorted({*wanted.layers[0], *wanted.layers[1]}))
    pictures = (rough(0, 96, 128).float(), rough(1, 96, 128).float())
    asked = (wanted.network, pictures, layers, wanted.pooling_used, 0, "cpu", "float64", folder)
    network = networks.load(NetworkRequest(*asked))
    content = rough(0, width=width)
    return (
        Objective(network, content, regions, wanted),
        Objective(network, content, regions, wanted.model_copy(update={"tile": 64})),
    )


def one_region(width: int = WIDTH) -> list[Region]:
    """One style everywhere."""
    return [Region(None, 1.0, (Painting(rough(1, 100, 120), 1.0, 1.0, None),))]


def two_regions(width: int = WIDTH) -> list[Region]:
    """A soft mask, and the rest; of one painting only a part counts."""
    ramp = torch.linspace(0, 1, width, dtype=torch.float64).expand(1, 1, HEIGHT, width)
    part = rough(3, 100, 120)[:, :1]
    return [
        Region(where, 0.5, (Painting(rough(seed, 100, 120), 1.0, 1.0, mask),))
        for seed, where, mask in ((1, ramp, None), (2, 1 - ramp, part))
    ]


@pytest.mark.parametrize("regions", [one_region, two_regions])
@pytest.mark.parametrize("style_loss", ["gram", "moments", "w2"])
@pytest.mark.parametrize("network", NETS)
def test_loss_and_gradient_are_those_of_the_whole(
    network: str, style_loss: str, regions: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For every network and loss, to float64's rounding, at the seams too."""
    narrow(monkeypatch)
    install_vgg(tmp_path)
    width, given = WIDTHS.get(network, WIDTH), {"style_loss": style_loss}
    one, many = objectives(NETS[network] | given, regions(width), tmp_path, width)
    x = (rough(0, width=width) + 0.1 * rough(5, width=width)).clamp(0, 1)
    expected, found = one(x), many(x)
    assert found.terms == pytest.approx(dict(expected.terms), rel=1e-9, abs=1e-10)
    largest = expected.gradient.abs().max()
    assert (found.gradient - expected.gradient).abs().max() < 1e-7 * largest


@pytest.mark.parametrize(
    ("network", "layers", "width"),
    [
        ("torchvision:squeezenet1_1", ("features.1", "features.4.cat", "features.7.cat"), WIDTH),
        ("torchvision:vgg11_bn", ("features.2", "features.6", "features.13"), WIDTH),
    ],
)
def test_tiles_of_networks_that_were_asked_have_no_seams(
    network: str, layers: tuple[str, ...], width: int, tmp_path: Path
) -> None:
    """What a position depends on was found by gradients, and is enough."""
    install_torchvision(tmp_path, network)
    given = {"network": network, "style_layers": layers, "content_layers": layers[-1:]}
    one, many = objectives(given, two_regions(width), tmp_path, width)
    x = (rough(0, width=width) + 0.1 * rough(5, width=width)).clamp(0, 1)
    expected, found = one(x), many(x)
    assert found.terms == pytest.approx(dict(expected.terms), rel=1e-9, abs=1e-10)
    largest = expected.gradient.abs().max()
    assert (found.gradient - expected.gradient).abs().max() < 1e-7 * largest


@pytest.mark.parametrize("network", ["fixed", "vgg19"])
def test_the_structure_of_the_whole_is_kept(
    network: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Places of different tiles are compared with each other too."""
    narrow(monkeypatch)
    install_vgg(tmp_path)
    given = NETS[network] | {"content_loss": "structure"}
    one, many = objectives(given, one_region(), tmp_path)
    x = (rough(0) + 0.1 * rough(5)).clamp(0, 1)
    expected, found = one(x), many(x)
    assert expected.terms["content"] > 0.01
    assert found.terms == pytest.approx(dict(expected.terms), rel=1e-9, abs=1e-10)
    largest = expected.gradient.abs().max()
    assert (found.gradient - expected.gradient).abs().max() < 1e-7 * largest


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_every_pooling_keeps_its_windows(
    pooling: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where a tile begins inside the picture."""
    narrow(monkeypatch)
    one, many = objectives({"network": "fitted", "pooling": pooling}, one_region(), tmp_path)
    x = rough(4)
    assert_allclose(many(x).gradient, one(x).gradient, rtol=1e-6, atol=1e-12)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(16, 120), st.sampled_from([1, 4, 16]))
def test_tiles_keep_every_pixel_once(height: int, width: int, side: int, stride: int) -> None:
    """And see as much around it as there is, to the halo."""
    halo, count = 10, torch.zeros(height, width)
    for tile in tiles(height, width, side, stride, halo):
        tile.kept.of(count).add_(1)
        assert tile.kept.top % stride == tile.kept.left % stride == 0
        assert tile.seen.top % stride == tile.seen.left % stride == 0
        assert tile.seen.top <= max(0, tile.kept.top - halo)
        assert tile.seen.bottom >= min(height, tile.kept.bottom + halo)
        assert tile.seen.right >= min(width, tile.kept.right + halo)
    assert (count == 1).all()


def test_a_small_picture_is_one_tile() -> None:
    """Which is left as it is."""
    features = torch.rand(1, 2, 5, 7)
    assert whole(10, 14).crop(features, 2) is features
    assert Options().tile_side(512, 512) is None
    assert Options(tile=64).tile_side(64, 64) is None
    assert Options(tile=64).tile_side(65, 64) == 64


@pytest.mark.parametrize(
    ("network", "layer", "expected"),
    [
        ("fixed", "stage4a", (8, 15)),
        ("fixed", "stage1b", (1, 1)),
        ("student", "stage4a", (8, 15)),
        ("student", "stage3c2", (4, 11)),
        ("student", "stage5c2", (16, 59)),
        ("vgg19", "relu1_1", (1, 1)),
        ("vgg19", "relu5_4", (16, 118)),
        ("torchvision:vgg11", "features.17", (16, 43)),
        ("torchvision:vgg13_bn", "features.33", (16, 62)),
        ("torchvision:squeezenet1_1", "features.1", (2, 1)),
        ("torchvision:squeezenet1_1", "features.3.squeeze_activation", (4, 3)),
        ("torchvision:squeezenet1_1", "features.3.cat", (4, 7)),
        ("torchvision:squeezenet1_1", "features.12.cat", (16, 103)),
        ("torchvision:squeezenet1_0", "features.1", (2, 3)),
    ],
)
def test_layers_tell_what_they_depend_on(
    network: str, layer: str, expected: tuple[int, int]
) -> None:
    """Each convolution sees one position further on every side, at its own stride."""
    assert NETWORKS[network].reaches[layer] == expected


def test_a_job_in_tiles_makes_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself where the picture is large; in few steps, as every one lets the rounding grow."""
    wanted = task(network="fixed", steps=4)
    expected, _ = run(wanted)
    monkeypatch.setattr(options, "LARGE", 1000)
    monkeypatch.setattr(options, "TILE", 32)
    again, _ = run(replace(wanted, options=wanted.options.model_copy()))
    assert_allclose(again.pixels, expected.pixels, atol=1e-3)
