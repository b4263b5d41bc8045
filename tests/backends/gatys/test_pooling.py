"""Pooling by two."""

from __future__ import annotations

import pytest
import torch
from support.tables import table

from nstd.backends.gatys.pooling import pool

KINDS = ["average", "max", "l2"]
SIZES = [(1, 1), (2, 2), (4, 6), (5, 6), (7, 3)]


def noise(*size: int) -> torch.Tensor:
    """Features in float64 that want a gradient."""
    return torch.rand(1, 3, *size, dtype=torch.float64, requires_grad=True)


@table("kind", KINDS)
def test_pooling_has_finite_gradients_on_black(kind: str) -> None:
    """The slope of a root at zero is infinite; odd edges are kept."""
    x = torch.zeros(1, 2, 5, 3, requires_grad=True)
    pooled = pool(x, kind)
    (gradient,) = torch.autograd.grad(pooled.sum(), x)
    assert pooled.shape == (1, 2, 3, 2)
    assert gradient.isfinite().all()


def test_l2_pooling_is_the_root_of_the_sum_of_squares() -> None:
    """Of each 2 x 2 block."""
    x = torch.tensor([[[[1.0, 2.0], [2.0, 4.0]]]])
    assert pool(x, "l2").item() == pytest.approx(5.0)


@table("kind", KINDS)
@table("size", SIZES)
def test_windows_of_three_overlap(kind: str, size: tuple[int, int]) -> None:
    """Around every second position, with what there is of them at the edges; odd sides too."""
    x = noise(*size)
    shown = torch.nn.functional.pad(x, (1, 1, 1, 1), value=torch.nan)
    windows = shown.unfold(2, 3, 2).unfold(3, 3, 2).flatten(4)
    expected = {
        "max": windows.nan_to_num(-torch.inf).amax(4),
        "average": windows.nanmean(4),
        "l2": 2 * windows.square().nanmean(4).sqrt(),
    }[kind]
    torch.testing.assert_close(pool(x, kind, 3), expected)
    assert torch.autograd.gradcheck(lambda x: pool(x, kind, 3), (x,))
