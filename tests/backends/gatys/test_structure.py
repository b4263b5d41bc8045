"""The content's structure, against float64 numpy written from the paper's formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.gatys import narrow, run, task
from torch import Tensor

from nstd.backends.gatys.cells import MOST, Cells
from nstd.backends.gatys.structure import StructureContent, self_distances
from nstd.backends.gatys.tiled_features import EVERYWHERE
from nstd.backends.gatys.tiles import whole


def noise(seed: int, *shape: int) -> Tensor:
    """Rectified noise in float64, as features are."""
    return torch.from_numpy(np.random.default_rng(seed).normal(0.3, 1, shape).clip(0))


def distance(cells: Tensor, content: Tensor, turn: Tensor | None = None, **given: bool) -> float:
    """The distance of the structure of `cells` to that of `content`."""
    layer = StructureContent.of(content, turn, **({"relative": False} | given))
    return layer.distance({("cells", "any", EVERYWHERE): cells}, "any").item()


def plain_distances(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normalised matrix of the paper, one pair of places after the other."""
    found = np.array(
        [[1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) for b in cells] for a in cells]
    )
    normalised: NDArray[np.float64] = found / found.sum(0)
    return normalised


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 6))
def test_it_is_the_self_similarity_of_the_paper(seed: int, count: int, channels: int) -> None:
    """Kolkin et al. (2019), section 2.3, up to a constant factor, the number of places."""
    draw = np.random.default_rng(seed)
    f, p = (torch.from_numpy(draw.uniform(0.1, 1, (count, channels))) for _ in range(2))
    found = plain_distances(f.numpy()), plain_distances(p.numpy())
    expected = np.abs(found[0] - found[1]).mean() * count
    assert distance(f, p) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_places_may_look_otherwise_if_they_are_as_alike_as_before() -> None:
    """Features that are turned, or stronger, or have their channels swapped."""
    cells = noise(0, 40, 8)
    rotation, _ = torch.linalg.qr(noise(1, 8, 8))
    for other in (cells @ rotation, 7 * cells, cells[:, torch.randperm(8)]):
        assert distance(other, cells) < 1e-9
    assert distance(noise(2, 40, 8), cells) > 0.1


def test_the_map_of_a_layer_comes_before_the_comparison() -> None:
    """As if the network had shown the features so."""
    f, p, turn = noise(0, 30, 5), noise(1, 30, 5), noise(2, 5, 5) + torch.eye(5)
    assert distance(f, p, turn) == pytest.approx(distance(f @ turn.T, p @ turn.T))


def test_a_relative_distance_is_1_for_other_places_of_the_same_kind() -> None:
    """Nearly; and 0 for the content itself."""
    content, other = noise(0, 500, 6), noise(1, 500, 6)
    assert distance(other, content, relative=True) == pytest.approx(1, rel=0.05)
    assert distance(content, content, relative=True) == 0


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_places_that_are_all_alike_do_no_harm(value: float) -> None:
    """In float32: a picture of one colour has no distances at all; its gradient is finite."""
    cells = torch.full((9, 4), value, requires_grad=True)
    layer = StructureContent.of(torch.full((9, 4), value), None, relative=True)
    loss = layer.distance({("cells", "any", EVERYWHERE): cells}, "any")
    (gradient,) = torch.autograd.grad(loss, cells)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert self_distances(torch.full((9, 4), value), None).isfinite().all()


@given(st.integers(1, 90), st.integers(1, 90))
def test_each_cell_is_the_mean_of_its_positions(height: int, width: int) -> None:
    """Of about as many on every side; none is empty."""
    cells = Cells.of(height, width)
    assert cells.sizes.min() >= 1
    assert len(cells.sizes) <= 1.1 * MOST + 64
    assert cells.sizes.sum() == height * width
    found = cells.means(noise(0, 1, 2, height, width), whole(height, width), 1)
    assert (found * cells.sizes[:, None]).sum(0) == pytest.approx(
        noise(0, 1, 2, height, width).sum((2, 3))[0]
    )


def test_more_weight_keeps_more_of_the_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The content loss at the end of the same descent is less than half of that without weight."""
    narrow(monkeypatch)
    left = {}
    for weight in (0, 3):
        _, seen = run(task(content_loss="structure", content_weight=weight, steps=30))
        left[weight] = seen[-1].losses["content"]
    assert left[0] > 0.05
    assert left[3] < 0.5 * left[0]
