"""Statistics of paintings kept between jobs: exactly those, for exactly the same pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.disk import names_in
from support.gatys import VGG, install_vgg, interrupted, narrow, painting, photograph, run, task

from nstd.backend import Style, Task
from nstd.backends.gatys import colors, target_cache
from nstd.backends.gatys.network_cache import network_for
from nstd.backends.gatys.objective import Objective
from nstd.backends.gatys.problem import TaskPictures
from nstd.backends.gatys.pyramid import Level
from nstd.backends.gatys.target_cache import TargetCache
from nstd.backends.gatys.targets import targets_of
from nstd.backends.gatys.tiled_features import View
from nstd.system.disk_cache import DiskCache
from nstd.system.durable import Files

LEVEL = Level(64, 80, 1)
SQUARE = np.zeros((64, 64), np.float32)
SQUARE[16:40, 8:48] = 1
ELSEWHERE = SQUARE.T.copy()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by one for each painting that a network looks at."""
    seen: list[Any] = []
    sums_of = View.sums_of

    def counted(view: View, picture: torch.Tensor, *, everywhere: bool = False) -> Any:
        if not everywhere:  # that is the content
            seen.append(picture)
        return sums_of(view, picture, everywhere=everywhere)

    monkeypatch.setattr(View, "sums_of", counted)
    return seen


def kept(folder: Path) -> DiskCache:
    """A cache in `folder`."""
    return DiskCache(folder / "cache", 1 << 30, Files())


def fixed(folder: Path | None, *styles: Style, **options: Any) -> Task:
    """A short job of the network `fixed`, with a cache in `folder`."""
    given: dict[str, Any] = {"network": "fixed", "steps": 6}
    job = task(None, *styles, **(given | options))
    return job if folder is None else replace(job, cache=kept(folder))


def ask(job: Task) -> list[dict[str, Any]]:
    """The targets of each region of `job`."""
    network = network_for(job, None, {})
    cache = TargetCache.of(job, network)
    style_layers, content_layers = job.options.layers
    layers = {*style_layers, *content_layers}
    with torch.no_grad():
        return [
            targets_of(network, region, layers, job.options, cache)
            for region in TaskPictures(colors.before(job)).regions_at(LEVEL)
        ]


def same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """Whether targets are equal to the last bit."""
    return all(
        a.keys() == b.keys()
        and all(
            torch.equal(a[layer].mean, b[layer].mean)
            and torch.equal(a[layer].second, b[layer].second)
            and a[layer].second.dtype == b[layer].second.dtype
            for layer in a
        )
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("mask", [None, SQUARE])
def test_a_hit_gives_the_same_statistics(
    tmp_path: Path, looks: list[Any], precision: str, mask: Any
) -> None:
    """To the last bit, without a look at the painting; also of several together."""
    styles = (Style(painting(), 0.7, mask=mask), Style(painting(seed=1), 0.3))
    plain = ask(fixed(None, *styles, precision=precision))
    first = ask(fixed(tmp_path, *styles, precision=precision))
    looks.clear()
    again = ask(fixed(tmp_path, *styles, precision=precision))
    assert same(plain, first)
    assert same(plain, again)
    assert looks == []


def test_what_does_not_matter_does_not_miss(tmp_path: Path, looks: list[Any]) -> None:
    """Weights of the loss and of the mix, regions, seed, steps, and which content."""
    ask(fixed(tmp_path, Style(painting())))
    looks.clear()
    region = np.ones((64, 80), np.float32)
    region[:, 40:] = 0
    job = fixed(
        tmp_path, Style(painting(), 0.5, region=region), style_weight=2, seed=3, strength=0.7
    )
    ask(replace(job, content=1 - photograph()))
    assert looks == []


@pytest.mark.parametrize(
    "changed",
    [
        {"style": Style(painting(seed=1))},
        {"style": Style(painting(64, 63), mask=SQUARE[:, 1:])},
        {"style": Style(painting(), scale=0.9, mask=SQUARE)},
        {"style": Style(painting())},
        {"style": Style(painting(), mask=ELSEWHERE)},
        {"pooling": "max"},
        {"precision": "bfloat16"},
        {"style_layers": ("stage1a", "stage2a")},
        {"colors": "match"},
        {"colors": "luminance"},
    ],
    ids="-".join,
)
def test_what_matters_misses(tmp_path: Path, looks: list[Any], changed: dict[str, Any]) -> None:
    """Each thing that the statistics depend on; and what is then found is right."""
    ask(fixed(tmp_path, Style(painting(), mask=SQUARE)))
    looks.clear()
    style, options = changed.get("style", Style(painting(), mask=SQUARE)), dict(changed)
    options.pop("style", None)
    found = ask(fixed(tmp_path, style, **options))
    assert len(looks) == 1
    assert same(found, ask(fixed(None, style, **options)))


def test_another_rounding_misses(
    tmp_path: Path, looks: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other tiles of one picture, other threads, and another torch add in another order."""
    style = Style(painting(128, 128), scale=2)
    ask(fixed(tmp_path, style))
    ask(fixed(tmp_path, style, tile=64))
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    ask(fixed(tmp_path, style))
    monkeypatch.setattr(torch, "__version__", "99.0")
    ask(fixed(tmp_path, style))
    monkeypatch.setattr(target_cache, "FORMAT", 99)
    ask(fixed(tmp_path, style))
    assert len(looks) == 5


def test_another_network_misses(tmp_path: Path, looks: list[Any]) -> None:
    """By its name, and by its weights."""
    install_vgg(tmp_path)
    options = {**VGG, "steps": 3}
    ask(fixed(tmp_path, Style(painting())))
    vgg = replace(fixed(tmp_path, Style(painting()), **options), weights=tmp_path)
    first = ask(vgg)
    assert len(looks) == 2
    assert same(first, ask(vgg))
    assert len(looks) == 2
    network = network_for(vgg, None, {})
    network.sha256 = "of other weights"
    regions = TaskPictures(vgg).regions_at(LEVEL)
    Objective(network, torch.rand(1, 3, 64, 80), regions, vgg.options, TargetCache.of(vgg, network))
    assert len(looks) == 3


def test_a_fitted_network_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It depends on the pictures, and serves no other job."""
    narrow(monkeypatch)
    run(replace(task(), cache=kept(tmp_path)))
    assert not (tmp_path / "cache").exists()


def test_a_job_comes_out_the_same(tmp_path: Path, looks: list[Any]) -> None:
    """Without a cache, with an empty one, with a full one, and with one that is broken."""
    plain, _ = run(fixed(None))
    levels = len(looks)
    assert levels >= 1
    for expected in (levels, 0):
        looks.clear()
        made, _ = run(fixed(tmp_path))
        assert np.array_equal(made.pixels, plain.pixels)
        assert len(looks) == expected
    entries = names_in(tmp_path / "cache")
    for broken in (b"", b"junk", b"PK\x03\x04" + bytes(100)):
        for name in entries:
            (tmp_path / "cache" / name).write_bytes(broken)
        looks.clear()
        made, _ = run(fixed(tmp_path))
        assert np.array_equal(made.pixels, plain.pixels)
        assert len(looks) == levels
    looks.clear()
    run(fixed(tmp_path))
    assert looks == []
    assert names_in(tmp_path / "cache") == entries


def test_a_resumed_job_comes_out_the_same(tmp_path: Path) -> None:
    """From a checkpoint, whether the statistics were kept or not."""
    whole, _ = run(fixed(None, steps=12))
    state = interrupted(fixed(tmp_path, steps=12), 5)
    for folder in (tmp_path, tmp_path / "none", None):
        made, _ = run(replace(fixed(folder, steps=12), state=state))
        assert np.array_equal(made.pixels, whole.pixels)
