"""A cut is found, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from support.motion import HEIGHT, WIDTH, disc, noisy, seen

pytest.importorskip("cv2")

from nstd.images.film.cuts import is_cut

ONE_SCENE = {
    "nothing changes": (seen(), seen()),
    "noise": (noisy(seen(), 1, 8 / 255), noisy(seen(), 2, 8 / 255)),
    "a pan": (seen(), seen(right=6, down=2)),
    "a fast pan": (seen(), seen(right=WIDTH / 3)),
    "a thing moves": (disc(40)[0], disc(60)[0]),
    "it fades out": (seen(), 0.85 * seen()),
    "a dissolve": (0.9 * seen() + 0.1 * seen(seed=5), 0.8 * seen() + 0.2 * seen(seed=5)),
    "dark": (0.01 * seen(), 0.01 * seen(seed=5)),
    "plain": (np.zeros((HEIGHT, WIDTH, 3), np.float32), np.full((HEIGHT, WIDTH, 3), 0.03, "f4")),
    "tiny": (seen()[:4, :4], seen()[:4, :4]),
}
CUTS = {
    "another place with other colours": (seen(), seen(seed=5)),
    "another place with the same colours": (seen(), seen()[::-1, ::-1].copy()),
    "from black": (np.zeros((HEIGHT, WIDTH, 3), np.float32), seen()),
    "to white": (seen(), np.ones((HEIGHT, WIDTH, 3), np.float32)),
}


@pytest.mark.parametrize("name", ONE_SCENE)
def test_one_scene_is_not_cut(name: str) -> None:
    """Whatever happens in it."""
    one, other = ONE_SCENE[name]
    assert not is_cut(one.astype(np.float32), other.astype(np.float32))


@pytest.mark.parametrize("name", CUTS)
def test_a_cut_is_found(name: str) -> None:
    """Also where the histograms are the same."""
    assert is_cut(*CUTS[name])
