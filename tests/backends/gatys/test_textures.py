"""The textures that `fixed` is calibrated on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from making.textures import KINDS, SIDE, textures
from support.gatys import photograph


def test_they_are_the_same_for_a_seed_and_differ_among_each_other() -> None:
    """Two of each kind, all of one size and none of one colour."""
    pictures = [(photograph(150, 200) * 255).astype(np.uint8)]
    count = 2 * len(KINDS)
    one, again, other = (list(textures(pictures, count, seed)) for seed in (0, 0, 1))
    assert len(one) == count
    for drawn, same, different in zip(one, again, other, strict=True):
        assert drawn.shape == (SIDE, SIDE, 3)
        assert drawn.dtype == np.uint8
        assert drawn.std() > 1
        assert (drawn == same).all()
        assert (drawn != different).any()
    assert all((left != right).any() for left, right in pairwise(one))


def test_small_photographs_will_do() -> None:
    """One that is less than a hundred pixels high is taken whole."""
    picture = (photograph(40, 60) * 255).astype(np.uint8)
    assert [t.shape for t in textures([picture], 2, 0)] == [(SIDE, SIDE, 3)] * 2
