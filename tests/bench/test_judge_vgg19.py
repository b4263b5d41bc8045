"""The built-in judge `vgg19`: its figures by the formula, and through the command."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.original import as_published, forge_original
from torch import Tensor

from nstd.backends.gatys.networks import NETWORKS
from nstd.backends.weights_registry import REGISTRY
from nstd.bench import judge_vgg19
from nstd.bench.judge import Judge
from nstd.bench.judge_vgg19 import CONTENT, STYLE, figures
from nstd.errors import BenchError, WeightsError

SIDE = 48


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights in a networks folder."""
    return forge_original(tmp_path_factory.mktemp("networks"))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """A result, a content of another size, and a style."""
    rng = np.random.default_rng(0)
    paths = []
    for name, size in (("result", (SIDE, 40)), ("content", (96, 80)), ("style", (SIDE, SIDE))):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        paths.append(tmp_path / f"{name}.png")
        coarse.resize(size, Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def test_the_figures_are_those_of_the_formula(
    weights: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gram matrices relative to the style's, and features relative to the content's."""
    monkeypatch.setattr(judge_vgg19, "SIDE", SIDE)
    found = figures(weights, *pictures)
    held = torch.load(weights, weights_only=True)
    result, content, style = (seen(held, path) for path in pictures)
    for layer in STYLE:
        one, other = gram(result[layer]), gram(style[layer])
        wanted = float((one - other).square().sum() / other.square().sum())
        assert found[layer] == pytest.approx(wanted, rel=0.01), layer
    gap = (result[CONTENT] - content[CONTENT]).square().mean()
    wanted = float(gap / content[CONTENT].square().mean())
    assert found["content"] == pytest.approx(wanted, rel=0.01)


def seen(held: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The features of a picture, made as large as the result."""
    with Image.open(path) as image:
        size = (SIDE, SIDE) if path.stem == "style" else (SIDE, 40)
        pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS), dtype=np.float32)
    picture = torch.from_numpy(pixels / 255).permute(2, 0, 1)[None]
    return as_published(held, picture, NETWORKS["vgg19"].layers[:13])


def gram(features: Tensor) -> Tensor:
    """Mean products of channels."""
    flat = features.flatten(2)[0]
    return flat @ flat.T / flat.shape[1]


def test_its_name_goes_before_any_command(weights: Path, pictures: list[Path]) -> None:
    """As a process, as any judge; the style itself is at no distance from the style."""
    judge = Judge.of("vgg19", weights.parent)
    assert judge.command[0] == sys.executable
    _, content, style = pictures
    found = judge.figures(style, content, style)
    assert list(found) == [*STYLE, "content"]
    assert [found[layer] for layer in STYLE] == [0] * 5
    assert found["content"] > 0


def test_a_picture_that_cannot_be_read_is_told(weights: Path, tmp_path: Path) -> None:
    """With the reason."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(BenchError, match=r"the judge vgg19 on .*broken") as caught:
        Judge.of("vgg19", weights.parent).figures(broken, broken, broken)
    assert caught.value.code == "judge_failed"


def test_without_weights_it_is_refused(tmp_path: Path) -> None:
    """Before anything is made."""
    (tmp_path / REGISTRY["vgg19"].file).write_bytes(b"cut")
    with pytest.raises(WeightsError):
        Judge.of("vgg19", tmp_path)
