"""The content term, against float64 numpy written from the paper's formula."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nstd.backends.gatys.content_term import ContentTerm
from nstd.backends.gatys.statistic import compared, statistic
from nstd.backends.gatys.tiled_features import EVERYWHERE

shapes = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
seeds = st.integers(0, 2**32 - 1)


class Same:
    """A network whose only layer shows the picture itself."""

    name = sha256 = "same"
    source: str | None = None

    def __init__(self, turn: Tensor | None = None) -> None:
        self._turn = turn

    def features(self, picture: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """The picture."""
        return ((layer, picture) for layer in layers)

    def turn(self, layer: str) -> Tensor | None:
        """What the test says."""
        return self._turn

    def state(self) -> dict[str, Any] | None:
        """Nothing."""
        return None


def noise(seed: int, *shape: int) -> Tensor:
    """Rectified noise in float64, as features are."""
    return torch.from_numpy(np.random.default_rng(seed).normal(0.3, 1, shape).clip(0))


def distance_to(
    content: Tensor, turn: Tensor | None = None, style: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """The distance of features to `content`; relative where a style is given."""
    own = statistic(content)
    term = ContentTerm(
        Same(turn),
        {("mean", "same", EVERYWHERE): own.mean, ("second", "same", EVERYWHERE): own.second},
        ["same"],
        {"same": statistic(content if style is None else style)},
        relative=style is not None,
    )
    reference = term.references([("same", content)])["same"]

    def distance(features: Tensor) -> Tensor:
        found, overlap = compared(features, reference)
        kinds = {"mean": found.mean, "second": found.second, "overlap": overlap}
        if turn is None:
            kinds = {"gap": (features - reference).square().mean()}
        return term({(kind, "same", EVERYWHERE): value for kind, value in kinds.items()})

    return distance


@pytest.mark.parametrize("turned", [False, True])
@given(seed=seeds, shape=shapes)
def test_it_is_the_content_loss_of_the_paper(
    turned: bool, seed: int, shape: tuple[int, int, int]
) -> None:
    """Gatys et al. (2016), equations 1 and 2, up to a constant that takes the mean."""
    f, p = noise(seed, 1, *shape).requires_grad_(), noise(seed + 1, 1, *shape)
    identity = torch.eye(shape[0], dtype=torch.float64) if turned else None
    value = distance_to(p, identity)(f)
    (gradient,) = torch.autograd.grad(value, f)
    difference = (f - p).detach()
    assert value.item() == pytest.approx(difference.square().mean().item(), rel=1e-9, abs=1e-12)
    torch.testing.assert_close(gradient, 2 * difference / difference.numel())


@given(seeds, shapes)
def test_turned_features_are_compared(seed: int, shape: tuple[int, int, int]) -> None:
    """As if the network had shown them so."""
    f, p = noise(seed, 1, *shape), noise(seed + 1, 1, *shape)
    turn = noise(seed + 2, shape[0], shape[0])
    value = distance_to(p, turn)(f)
    expected = torch.einsum("ab,zbhw->zahw", turn, f - p).square().mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("turn", [None, torch.eye(3, dtype=torch.float64)])
def test_a_relative_distance_is_1_for_what_has_nothing_to_do_with_the_content(
    turn: Tensor | None,
) -> None:
    """Nearly; whichever of the two varies more."""
    content, style = noise(0, 1, 3, 64, 64), 3 * noise(1, 1, 3, 64, 64)
    style += content.mean((2, 3), keepdim=True) - style.mean((2, 3), keepdim=True)
    for one, other in ((content, style), (style, content)):
        distance = distance_to(one, turn, other)(other)
        assert distance.item() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("value", [0.0, 0.5, 30.0])
def test_constant_pictures_have_no_variance_and_do_no_harm(value: float) -> None:
    """In float32: what is near is near, what is far is finite, and so are the gradients."""
    content = torch.full((1, 4, 8, 8), value)
    distance = distance_to(content, torch.eye(4), content)
    near = (content * (1 + 1e-6)).requires_grad_()
    loss = distance(near)
    (gradient,) = torch.autograd.grad(loss, near)
    assert abs(loss.item()) < 1e-2
    assert gradient.abs().max() < 0.1
    assert distance(content + 1).isfinite()
