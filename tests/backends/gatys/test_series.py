"""What the descent starts at, and jobs that share a network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from support.gatys import narrow, painting, photograph, plain, run, task

from nstd.backend import Earlier, Style
from nstd.backends.gatys import Gatys, fitted
from nstd.backends.gatys.checkpoint import fingerprint
from nstd.backends.gatys.colors import recolored
from nstd.backends.gatys.network_cache import SEEN, pictures_to_fit

if TYPE_CHECKING:
    from nstd.backend import Pixels

CONTENTS = (photograph(), photograph()[::-1].copy(), photograph()[:, ::-1].copy())
HALF = np.pad(np.ones((64, 40), np.float32), ((0, 0), (0, 40)))


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each fit so far was given."""
    seen: list[int] = []
    whole = fitted.fit

    def fit(pictures: Any, *rest: Any) -> Any:
        seen.append(len(pictures))
        return whole(pictures, *rest)

    monkeypatch.setattr(fitted, "fit", fit)
    return seen


@pytest.mark.parametrize("colors", ["style", "luminance", "match"])
def test_a_series_is_fitted_once(fits: list[int], colors: str) -> None:
    """Its jobs share the network in one worker, whatever their colours are matched to."""
    backend = Gatys()
    marks = set()
    for content in CONTENTS:
        result, _ = run(task(content, series=CONTENTS, colors=colors, steps=2), backend)
        assert result.network is not None
        marks.add(result.network["sha256"])
    assert len(marks) == 1
    assert len(fits) == 1


def test_jobs_of_a_series_get_the_same_network_in_other_workers() -> None:
    """For the same seed; another seed or other styles make another."""
    one, same, seed, style = (
        run(task(content, *styles, series=CONTENTS, steps=2, seed=number))[0].network
        for content, number, styles in (
            (CONTENTS[0], 0, ()),
            (CONTENTS[1], 0, ()),
            (CONTENTS[0], 1, ()),
            (CONTENTS[0], 0, (Style(painting(seed=4)),)),
        )
    )
    assert one == same
    assert one not in (seed, style)


def test_jobs_that_are_no_series_are_fitted_each(fits: list[int]) -> None:
    """Another content makes another network; the same pictures are not fitted again."""
    backend = Gatys()
    for content in (CONTENTS[0], CONTENTS[1], CONTENTS[1]):
        run(task(content, steps=2), backend)
    assert fits == [2, 2]


@pytest.mark.parametrize(("contents", "styles"), [(1, 1), (3, 1), (8, 2), (9, 1), (100, 3)])
def test_contents_do_not_drown_the_styles(contents: int, styles: int) -> None:
    """About as many styles as contents are fitted to, and never more than a few of each."""
    pictures = pictures_to_fit(
        task(
            None,
            *(Style(plain(9, 9, 1)) for _ in range(styles)),
            series=tuple(plain(8, 8, number / 200) for number in range(contents)),
        )
    )
    of_styles = sum(picture.shape[2] == 9 for picture in pictures)
    of_contents = len(pictures) - of_styles
    assert min(contents, SEEN // 2) <= of_contents <= SEEN
    assert of_styles % styles == 0
    assert of_contents <= of_styles < of_contents + styles


def test_noise_and_a_picture_are_other_starts_than_the_content() -> None:
    """The first report shows each as it is."""

    def start(**options: Any) -> Pixels:
        _, seen = run(task(steps=2, **options))
        assert seen[0].picture is not None
        return seen[0].picture()

    own = plain(64, 80, 0.2, 0.4, 0.6)
    assert_allclose(start(), recolored(photograph(), task().styles, 1), atol=1e-6)
    assert_allclose(start(start_at=own), own, atol=1e-6)
    assert_allclose(start(start_at=own, init="noise"), own, atol=1e-6)
    noise = start(init="noise")
    assert 0.2 < noise.std() < 0.4
    assert np.abs(noise - start(init="noise", seed=1)).mean() > 0.1


@pytest.mark.parametrize("options", [{"init": "noise"}, {"start_at": plain(64, 256, 0.5)}])
def test_the_detail_of_the_content_comes_from_its_loss_alone(options: dict[str, Any]) -> None:
    """At full strength a finer level does not begin with any of it, unless it began there."""

    def roughness(**start: Any) -> float:
        _, seen = run(task(rough, Style(plain(64, 64, 0.5)), **free, **start))
        shown = [progress.picture() for progress in seen if progress.picture]
        first = next(picture for picture in shown if picture.shape == rough.shape)
        return float(np.abs(np.diff(first, axis=1)).mean())

    free: dict[str, Any] = {"strength": 1, "colors": "match", "steps": 30}
    rough = photograph(64, 256)
    rough[::2, ::2] = 1 - rough[::2, ::2]
    assert roughness(**options) < 0.5 * roughness()


def test_a_checkpoint_is_bound_to_every_picture() -> None:
    """Any other mask, start, series, weight or option makes another fingerprint."""
    style = Style(painting(), region=HALF, mask=np.ones((64, 64), np.float32))
    before = Earlier(CONTENTS[1], np.ones((64, 80), np.float32))
    job = task(None, style, start_at=CONTENTS[1], series=CONTENTS, earlier=(before,))
    assert fingerprint(job) == fingerprint(replace(job, state=b"other", device="cuda:0"))
    others = [
        replace(job, init=None),
        replace(job, init=CONTENTS[2]),
        replace(job, series=CONTENTS[:2]),
        replace(job, series=CONTENTS[::-1]),
        replace(job, content=CONTENTS[2]),
        replace(job, film=True),
        replace(job, earlier=()),
        replace(job, earlier=(before, before)),
        replace(job, earlier=(replace(before, pixels=CONTENTS[2]),)),
        replace(job, earlier=(replace(before, certainty=HALF),)),
        replace(job, options=job.options.model_copy(update={"strength": 0.6})),
        *(
            replace(job, styles=(replace(style, **change),))
            for change in (
                {"region": None},
                {"mask": None},
                {"region": HALF[:, ::-1]},
                {"mask": HALF[:, :64]},
                {"weight": 2.0},
                {"scale": 2.0},
            )
        ),
    ]
    assert len({fingerprint(job), *map(fingerprint, others)}) == 1 + len(others)
