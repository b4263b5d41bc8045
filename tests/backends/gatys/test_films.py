"""Frames of a film: they start at the results of earlier ones and stay near them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from support.gatys import interrupted, narrow, painting, photograph, plain, run, task

from nstd.backend import Earlier, Style, Task
from nstd.backends.gatys import Gatys, temporal
from nstd.backends.gatys.colors import before, luma, recolored
from nstd.backends.gatys.network_cache import pictures_to_fit
from nstd.backends.gatys.pyramid import Level
from nstd.backends.gatys.temporal import Memory, levels_after

if TYPE_CHECKING:
    from nstd.backend import Mask, Pixels

SIZE = 64, 80
LEFT = np.pad(np.ones((64, 40), np.float32), ((0, 0), (0, 40)))
EVERYWHERE = np.ones(SIZE, np.float32)
CONTENTS = (photograph(), photograph()[:, ::-1].copy())


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)


def noisy(pixels: Pixels, seed: int) -> Pixels:
    """`pixels` as a camera sees them."""
    noise = 2 / 255 * np.random.default_rng(seed).standard_normal(pixels.shape)
    return (pixels + noise).clip(0, 1).astype(np.float32)


def after(result: Pixels, certainty: Mask = EVERYWHERE, **given: Any) -> Task:
    """A frame after the one with this result."""
    return task(earlier=(Earlier(result, certainty),), film=True, **given)


def first_shown(job: Task) -> Pixels:
    """The picture at which the descent starts."""
    _, seen = run(job)
    assert seen[0].picture is not None
    return seen[0].picture()


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_the_term_and_its_gradient_are_those_of_the_paper(weight: float) -> None:
    """Mean of c (x - w)^2; the gradient against finite differences in float64."""
    generator = torch.Generator().manual_seed(0)
    x, w = (torch.rand(1, 3, 4, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    c = torch.rand(1, 1, 4, 5, generator=generator, dtype=torch.float64)
    memory = Memory(w, c)
    gradient = torch.ones_like(x)
    value = memory.distance(x, gradient, weight)
    assert float(value) == pytest.approx(float((c * (x - w) ** 2).mean()))
    for place in ((0, 0, 0, 0), (0, 2, 3, 4), (0, 1, 2, 2)):
        step = torch.zeros_like(x)
        step[place] = 1e-6
        up, down = (memory.distance(x + s, torch.zeros_like(x), 1.0) for s in (step, -step))
        assert float(gradient[place]) - 1 == pytest.approx(
            weight * float(up - down) / 2e-6, abs=1e-8
        )


@pytest.mark.parametrize("tile", [None, 64])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("colors", ["style", "luminance", "match"])
def test_a_frame_stays_near_the_one_before_where_that_is_certain(
    colors: str, optimizer: str, tile: int | None
) -> None:
    """With each optimiser, in tiles, and where only light and dark are painted."""
    content = photograph(64, 128)
    certain = np.pad(np.ones((64, 64), np.float32), ((0, 0), (0, 64)))
    earlier = run(task(content, Style(painting(seed=3)), colors=colors))[0].pixels
    options: dict[str, Any] = {"colors": colors, "optimizer": optimizer, "tile": tile, "steps": 60}
    free, held = (
        run(task(content, earlier=(Earlier(earlier, certain),), temporal_weight=w, **options))
        for w in (0, 500)
    )
    moved = [np.abs(luma(made.pixels - earlier))[..., 0] for made, _ in (free, held)]
    share = 0.4 if optimizer == "lbfgs" else 0.75  # adam goes few small steps
    assert moved[1][:, :56].mean() < share * moved[0][:, :56].mean()
    assert moved[1][:, 72:].mean() > 0.7 * moved[0][:, 72:].mean()


def test_a_heavier_weight_holds_it_nearer() -> None:
    """And none at all lets it go."""
    earlier = run(task(None, Style(painting(seed=3))))[0].pixels
    moves = [
        np.abs(run(after(earlier, temporal_weight=w, steps=80))[0].pixels - earlier).mean()
        for w in (0, 10, 1000)
    ]
    assert moves[0] > moves[1] > 5 * moves[2]


def test_a_frame_starts_at_what_is_known_of_it() -> None:
    """Elsewhere at its own content, in the colours of the transfer."""
    start = first_shown(after(plain(*SIZE, 0.2, 0.4, 0.6), LEFT))
    assert_allclose(start[:, :40], plain(64, 40, 0.2, 0.4, 0.6), atol=1e-6)
    assert_allclose(start[:, 40:], recolored(photograph(), task().styles, 1)[:, 40:], atol=1e-6)


def test_the_nearest_frame_counts_that_is_certain() -> None:
    """Those further back only with `long_term`, and only where the nearer ones know nothing."""
    near, far = Earlier(plain(*SIZE, 0.2), LEFT), Earlier(plain(*SIZE, 0.8), EVERYWHERE)
    job = task(earlier=(near, far), film=True, long_term=True)
    start = first_shown(job)
    assert_allclose(start[:, :40], 0.2, atol=1e-6)
    assert_allclose(start[:, 40:], 0.8, atol=1e-6)
    alone = replace(job, options=job.options.model_copy(update={"long_term": False}))
    assert_allclose(first_shown(alone), first_shown(replace(alone, earlier=(near,))), atol=1e-6)


@pytest.mark.parametrize(("optimizer", "steps"), [("lbfgs", 70), ("adam", 400)])
def test_noise_of_a_still_shot_does_not_crawl(optimizer: str, steps: int) -> None:
    """Frames that differ by noise alone give results that differ by less than a grey level."""
    options: dict[str, Any] = {"network": "student", "optimizer": optimizer, "steps": steps}
    made = run(task(noisy(photograph(), 0), **options))[0].pixels
    for seed in (1, 2, 3):
        following = run(after(made, content=noisy(photograph(), seed), **options))[0].pixels
        assert np.abs(following - made).mean() < 1 / 255
        made = following


def test_less_is_done_the_more_is_known() -> None:
    """Of a frame that is known only the finest level is made; one of which nothing is known takes
    what a first one takes."""
    levels = (Level(32, 40, 60), Level(*SIZE, 40))

    def counts(certainty: Mask) -> list[int]:
        return [level.evaluations for level in levels_after(levels, after(photograph(), certainty))]

    assert counts(0 * EVERYWHERE) == [60, 40]
    assert counts(EVERYWHERE) == [round(temporal.SHARE * (60 / 4 + 40))]
    most = np.pad(np.ones((64, 76), np.float32), ((0, 0), (0, 4)))
    assert counts(most) == [15]
    assert counts(LEFT) == [30, 27]


def test_more_is_done_and_less_is_held_while_styles_change() -> None:
    """The worker says so by a certainty that is smaller everywhere; the frame still starts at the
    result of the one before."""
    levels, before = (Level(32, 40, 60), Level(*SIZE, 40)), plain(*SIZE, 0.2, 0.4, 0.6)
    job = after(before, np.float32(0.95) * LEFT)
    change = 2 * (1 - 0.95)
    assert temporal.changed(job) == pytest.approx(change, abs=1e-5)
    moving, resting = (
        [level.evaluations for level in levels_after(levels, each)]
        for each in (job, after(before, LEFT))
    )
    assert all(more > less for more, less in zip(moving, resting, strict=True))
    memory = Memory.of(job)
    assert memory is not None
    assert memory.hold == pytest.approx(1 - temporal.EAGER * change, abs=1e-4)
    assert_allclose(first_shown(job)[:, :40], before[:, :40], atol=1e-5)


def test_the_network_of_a_film_does_not_change_with_the_weights_of_styles() -> None:
    """It is fitted to the same pictures in each frame."""
    styles = Style(painting(seed=3)), Style(painting(seed=4))

    def fitted_to(weight: float, strength: float) -> list[torch.Tensor]:
        moved = [replace(styles[0], weight=weight), replace(styles[1], weight=1 - weight)]
        job = task(None, *moved, network="fitted", strength=strength, film=True)
        return pictures_to_fit(replace(job, series=CONTENTS))

    one, other = fitted_to(1.0, 0.1), fitted_to(0.25, 0.9)
    assert all(map(torch.equal, one, other))


def test_the_first_frame_of_a_scene_is_what_a_still_picture_gives() -> None:
    """Bit for bit, if the film has its colours throughout."""
    still = run(task())[0].pixels
    assert np.array_equal(run(task(film=True))[0].pixels, still)
    sample = replace(task(film=True), series=(photograph(),) * 3)
    assert_allclose(before(sample).content, before(task()).content, atol=1e-3)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_an_interrupted_frame_goes_on_to_the_same_bits(optimizer: str) -> None:
    """Also from a level to the next."""
    content = photograph(64, 256)
    earlier = Earlier(content[:, ::-1].copy(), np.full((64, 256), 0.7, np.float32))
    job = task(content, earlier=(earlier,), film=True, optimizer=optimizer, steps=40, tolerance=0)
    whole, seen = run(job)
    for stop in (2, len(seen) // 2, len(seen) - 2):
        state = interrupted(job, stop)
        assert np.array_equal(run(replace(job, state=state))[0].pixels, whole.pixels)


@pytest.mark.parametrize("colors", ["style", "match", "histogram"])
def test_colours_are_those_of_the_whole_film(colors: str) -> None:
    """One colour of the content means the same in each frame, whatever else is in it."""
    frames = (*(0.5 * x for x in CONTENTS), 0.5 + 0.5 * CONTENTS[0])
    patched = [frame.copy() for frame in frames]
    for frame in patched:
        frame[:8, :8] = 0.4
    jobs = [before(task(frame, series=frames, film=True, colors=colors)) for frame in patched]
    for job in jobs[1:]:
        assert_allclose(job.content[:8, :8], jobs[0].content[:8, :8], atol=1e-6)
        assert_allclose(job.styles[0].pixels, jobs[0].styles[0].pixels, atol=1e-6)
    alone = before(task(patched[0], colors=colors))
    assert (
        np.abs(alone.content - jobs[0].content).max()
        + np.abs(alone.styles[0].pixels - jobs[0].styles[0].pixels).max()
        > 0.1
    )


def test_regions_of_a_film_count_in_its_sample_too() -> None:
    """Which may be smaller than the content."""
    style = Style(painting(), region=LEFT)
    other = Style(painting(seed=2), region=1 - LEFT)
    sample = tuple(frame[::2, ::2] for frame in CONTENTS)
    job = before(task(CONTENTS[0], style, other, series=sample, film=True))
    assert job.content.shape == CONTENTS[0].shape


def test_reports_tell_the_temporal_loss() -> None:
    """Of frames that have one before them, and of no others."""
    _, seen = run(after(photograph()))
    assert seen[-1].losses["temporal"] > 0
    _, seen = run(task(film=True))
    assert "temporal" not in seen[-1].losses


def test_the_backend_says_that_it_takes_earlier_frames() -> None:
    """Others are run frame by frame."""
    assert "earlier" in Gatys.takes
