"""The backend as a worker runs it: a task in, progress along the way, a picture out."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from support.gatys import interrupted, narrow, painting, photograph, run, task
from torch import Tensor

from nstd.backend import Backend, Progress, Result, Style, Task
from nstd.backends.gatys import Gatys, Options, engine, footprint, tiled_features
from nstd.backends.gatys import objective as objective_module
from nstd.backends.gatys.iterate import Point
from nstd.backends.gatys.lbfgs import LBFGS
from nstd.backends.gatys.networks import NETWORKS
from nstd.errors import BackendError


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network with fewer components, so that a job takes a fraction of a second."""
    narrow(monkeypatch)


@cache
def made_by_default() -> Result:
    """What many tests compare with."""
    return run(task())[0]


@cache
def uninterrupted(optimizer: str) -> Result:
    """Of the job that tests interrupt."""
    return run(task(photograph(64, 256), steps=30, optimizer=optimizer))[0]


def test_the_class_is_a_backend_with_a_name() -> None:
    """It satisfies the protocol, for the type checker and at run time."""
    backend: Backend = Gatys()
    assert backend.name == "gatys"
    assert backend.size == 512


def test_importing_it_and_parsing_options_needs_no_torch() -> None:
    """The daemon can check options without the heavy libraries."""
    code = (
        "import sys; from nstd.backends.gatys import Gatys; Gatys.Options(preset='fine'); Gatys();"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'PIL')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_picture_takes_on_the_style_and_keeps_its_size() -> None:
    """The style loss falls well below its start; values stay in [0, 1]."""
    result, seen = run(task(steps=40))
    assert result.pixels.shape == (64, 80, 3)
    assert result.pixels.dtype == np.float32
    assert result.pixels.min() >= 0
    assert result.pixels.max() <= 1
    assert seen[0].losses["style"] == pytest.approx(1, abs=0.01)
    assert seen[-1].losses["style"] < 0.6
    losses = [progress.losses["total"] for progress in seen if progress.losses]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("colors", ["style", "luminance"])
def test_fine_paints_larger_and_gives_the_size_that_was_asked_for(colors: str) -> None:
    """Previews on the way are as large as the level."""
    result, seen = run(task(network="fixed", preset="fine", steps=3, colors=colors))
    assert result.pixels.shape == (64, 80, 3)
    assert seen[0].picture is not None
    assert seen[0].picture().shape == (128, 160, 3)


def test_the_result_says_how_it_was_made() -> None:
    """Network with its hash, seed, phases in seconds, and what ended it."""
    result, _ = run(task(seed=3))
    assert result.network is not None
    assert result.network["name"] == "fitted"
    assert len(result.network["sha256"]) == 64
    assert result.seed == 3
    assert result.stopped == "limit"
    assert set(result.seconds) == {"network", "optimise"}


def test_progress_is_told_at_every_evaluation() -> None:
    """Steps count up to the limit over all levels, and the share of the work up to one."""
    _, seen = run(task(photograph(64, 256), steps=8))
    *on_the_way, last = seen
    assert [progress.step for progress in on_the_way] == list(range(1, 9))
    assert last.step == last.steps == 8
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] > 0
    assert fractions[-1] == 1.0
    assert {progress.level for progress in seen} == {1, 2}
    assert all(set(p.losses) == {"total", "content", "style", "tv"} for p in seen)
    assert all(type(value) is float for p in seen for value in p.losses.values())


def test_progress_tells_what_is_held_of_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for only when it is passed on; of the CPU the worker knows it."""
    held = {"cuda:1": 4096}
    monkeypatch.setattr("torch.cuda.memory_allocated", held.__getitem__)
    told: list[Progress] = []
    step = Progress(step=1, steps=2, fraction=0.5)
    engine.measured(told.append, "cuda:1")(step)
    engine.measured(told.append, "cpu")(step)
    asked = told[0].device_memory
    assert asked is not None
    assert asked() == 4096
    assert told[1] is step


def test_previews_are_pictures_of_the_level() -> None:
    """They can be asked for at any report and lie in [0, 1]."""
    _, seen = run(task(photograph(64, 256), steps=8))
    for progress in seen:
        assert progress.picture is not None
        preview = progress.picture()
        assert preview.dtype == np.float32
        assert preview.min() >= 0
        assert preview.max() <= 1
    assert preview.shape == (64, 256, 3)


def test_a_seed_gives_the_same_picture_and_the_global_generator_is_left_alone() -> None:
    """Twice the same; another seed gives another picture."""
    before = torch.get_rng_state()
    one, same, other = (run(task(seed=seed))[0].pixels for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("stop", [2, 9, 14, 19, 30])
def test_an_interrupted_run_goes_on_to_the_same_picture(optimizer: str, stop: int) -> None:
    """From the checkpoint at any report, on either level, as if nothing had happened."""
    job = task(photograph(64, 256), steps=30, optimizer=optimizer)
    saved = interrupted(job, stop)
    again, seen = run(task(photograph(64, 256), steps=30, optimizer=optimizer, state=saved))
    np.testing.assert_allclose(again.pixels, uninterrupted(optimizer).pixels, atol=1e-6)
    assert seen[0].step <= stop
    assert len(seen) <= 31 - stop + 8


def test_a_checkpoint_of_another_job_is_ignored() -> None:
    """Other options, other pictures, or broken bytes: the job begins anew."""
    _, seen = run(task())
    assert seen[-1].state is not None
    state = seen[-1].state()
    for job in (
        task(seed=1, state=state),
        task(photograph()[::-1], state=state),
        task(None, Style(painting(), scale=1.5), state=state),
        task(state=b"broken"),
        task(state=state[: len(state) // 2]),
    ):
        assert run(job)[1][0].step == 1
    assert len(run(task(state=state))[1]) == 1


def test_styles_are_mixed_by_weight() -> None:
    """Weights are relative; a mix of two lies between them in colour."""
    black, white = Style(np.zeros((64, 64, 3), np.float32)), Style(np.ones((64, 64, 3), np.float32))

    def brightness(*styles: Style) -> float:
        return float(run(task(None, *styles, content_weight=0.01, steps=25))[0].pixels.mean())

    dark = brightness(Style(black.pixels, weight=9), Style(white.pixels, weight=1))
    light = brightness(Style(black.pixels, weight=1), Style(white.pixels, weight=9))
    assert dark + 0.2 < light
    scaled = run(task(None, Style(painting(), weight=7.0)))[0].pixels
    np.testing.assert_allclose(scaled, made_by_default().pixels, atol=1e-4)


def test_style_scale_changes_the_picture() -> None:
    """Larger strokes are asked for, and a scale of one is the default."""
    plain, larger = (
        run(task(None, Style(painting(128, 128), scale=scale)))[0].pixels for scale in (1.0, 2.0)
    )
    assert np.abs(plain - larger).mean() > 0.01


@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "max"},
        {"pooling": "l2"},
        {"init": "noise"},
        {"style_loss": "gram"},
        {"style_loss": "w2"},
        {"tv_weight": 20.0},
        {"style_layers": ("stage1", "stage2"), "content_layers": ("stage2",)},
        {"optimizer": "adam", "learning_rate": 0.05},
        {"content_weight": 0.0},
        {"style_weight": 0.0, "init": "noise"},
    ],
)
def test_every_option_changes_the_picture(options: dict[str, Any]) -> None:
    """Each gives another picture than the defaults, with a lower loss than at its start."""
    changed, seen = run(task(**options))
    assert np.abs(changed.pixels - made_by_default().pixels).mean() > 1e-3
    losses = [progress.losses["total"] for progress in seen if progress.losses]
    assert losses[-1] < losses[0]


def test_a_plateau_ends_the_descent_early() -> None:
    """With a large tolerance most of the evaluations are saved, and the result says so."""
    result, seen = run(task(steps=400, tolerance=0.5))
    assert result.stopped == "plateau"
    assert seen[-1].step < 100
    assert seen[-1].fraction == 1.0


@pytest.mark.parametrize(
    "options",
    [
        {"unknown": 1},
        {"network": "vgg"},
        {"steps": 0},
        {"content_weight": -1},
        {"content_layers": ("relu4_2",)},
        {"network": "vgg16", "style_layers": ["relu3_4"]},
        {"style_layers": []},
        {"content_weight": 0, "style_weight": 0},
        {"content_weight": float("nan")},
    ],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    """Unknown keys, values out of range, and layers that the network does not have."""
    with pytest.raises(ValidationError):
        Options(**options)


def test_the_options_name_every_network() -> None:
    """The registry and the options cannot drift apart."""
    assert set(get_args(Options.model_fields["network"].annotation)) == set(NETWORKS)


def poisoned(after: int, until: int) -> Any:
    """An objective that gives NaN from evaluation `after` up to `until`."""
    count = 0
    whole = objective_module.Objective.__call__

    def call(self: objective_module.Objective, picture: torch.Tensor) -> Point:
        nonlocal count
        count += 1
        point = whole(self, picture)
        if after <= count < until:
            return Point(point.x, float("nan"), point.gradient, point.terms, finite=False)
        return point

    return call


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_spell_of_nan_is_survived(monkeypatch: pytest.MonkeyPatch, optimizer: str) -> None:
    """The descent goes back to the last good state and on with smaller steps."""
    monkeypatch.setattr(objective_module.Objective, "__call__", poisoned(8, 10))
    result, seen = run(task(steps=30, optimizer=optimizer))
    assert np.isfinite(result.pixels).all()
    losses = [progress.losses["total"] for progress in seen if progress.losses]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("after", [1, 6])
def test_lasting_nan_is_a_clear_failure(
    monkeypatch: pytest.MonkeyPatch, optimizer: str, after: int
) -> None:
    """From the first evaluation or later: `diverged`, with a hint."""
    monkeypatch.setattr(objective_module.Objective, "__call__", poisoned(after, 10**9))
    with pytest.raises(BackendError) as caught:
        run(task(steps=100, optimizer=optimizer))
    assert caught.value.code == "diverged"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "out_of_memory",
        ),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("CUDA error: device-side assert triggered"), "device_failed"),
    ],
)
def test_device_errors_are_told_as_such(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: str
) -> None:
    """They become errors that may be tried again, and do not keep the tensors alive."""

    def fail(*_: object) -> Point:
        raise error

    monkeypatch.setattr(objective_module.Objective, "__call__", fail)
    with pytest.raises(BackendError) as caught:
        run(task())
    assert caught.value.code == code
    assert caught.value.retryable
    assert caught.value.__context__ is None


def test_other_errors_are_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug stays a bug, with its traceback."""

    def fail(*_: object) -> Point:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(objective_module.Objective, "__call__", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        run(task())


def test_a_device_that_is_not_there_is_refused() -> None:
    """Before any work is done."""
    with pytest.raises(BackendError) as caught:
        run(task(device="cuda:77"))
    assert caught.value.code == "device_failed"
    assert "cuda:77" in caught.value.message


@pytest.mark.parametrize(("size", "tried"), [(96, [48]), (160, [80]), (1400, [256]), (40, [])])
def test_a_picture_that_does_not_fit_is_tried_once_in_smaller_tiles(
    monkeypatch: pytest.MonkeyPatch, size: int, tried: list[int]
) -> None:
    """Half the size of those before, and no less than what can help; then the error is told."""
    monkeypatch.setattr(footprint, "SMALLEST", 32)
    seen: list[int | None] = []

    def full(job: Task, *_: object) -> Result:
        height, width, _ = job.content.shape
        seen.append(job.options.tile_side(height, width))
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine, "_stylize", full)
    with pytest.raises(BackendError) as caught:
        run(task(np.zeros((20, size, 3), np.float32)))
    assert caught.value.code == "out_of_memory"
    assert seen == [None, *tried]


SCARCE: dict[str, tuple[Any, str, int]] = {
    "pictures": (engine, "TaskPictures", 1),
    "network": (engine, "network_for", 1),
    "targets": (objective_module, "targets_of", 1),
    "features": (tiled_features.View, "features", 4),
    "sums": (tiled_features.View, "sums", 4),
    "gradient": (objective_module.Objective, "_whole", 4),
    "direction": (LBFGS, "direction", 3),
    "result": (engine, "to_pixels", 1),
}
"""What takes memory: where it is, and the call that finds none."""


@pytest.mark.parametrize("step", SCARCE)
def test_memory_that_runs_out_at_any_step_leaves_a_picture(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The second try is made in tiles, and the record says so."""
    monkeypatch.setattr(footprint, "SMALLEST", 32)
    holder, name, unlucky = SCARCE[step]
    inner, calls = getattr(holder, name), [0]

    def scarce(*given: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == unlucky:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(*given, **named)

    monkeypatch.setattr(holder, name, scarce)
    made, told = run(task(photograph(96, 128), steps=8))
    assert made.network is not None
    assert made.network["tile"] == 64
    notes = [each.note for each in told if each.note]
    assert notes == ["out of memory: once more in tiles of 64 pixels"]
    assert np.isfinite(made.pixels).all()


def test_values_that_would_be_cut_off_are_held_back() -> None:
    """The picture that is left is about as good as the one that the optimiser had."""
    pure = np.asarray(painting() > 0.5, np.float32)
    job = task(photograph(), Style(pure), network="fixed", steps=60)
    inside: list[Point] = []
    inner = objective_module.Objective.__call__

    def watched(self: Any, picture: Tensor) -> Point:
        point = inner(self, picture)
        inside.append(point)
        return point

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective_module.Objective, "__call__", watched)
        run(job)
    excess = inside[-1].x - inside[-1].x.clamp(0, 1)
    assert excess.square().mean().sqrt() < 0.02
