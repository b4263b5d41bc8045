"""`nstd bench speed`: the plain loop, what is asked, and what is said."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from support.gatys import install_weights
from torch import Tensor, nn

from nstd.backends.gatys import Options, networks
from nstd.backends.gatys.network_protocol import NetworkRequest
from nstd.backends.gatys.objective import Objective
from nstd.backends.gatys.regions import Painting, Region
from nstd.backends.weights_registry import RETRAINED
from nstd.bench.speed import batch as batches
from nstd.bench.speed import large, report, run
from nstd.bench.speed.large import Case, measure_large, print_large
from nstd.bench.speed.ours import SAME
from nstd.bench.speed.plain import PlainOptimiser
from nstd.bench.speed.run import SHORT, Contestant, SpeedPlan, measure
from nstd.bench.speed.setup import Setup
from nstd.bench.speed.work import vgg_work
from nstd.cli.app import app
from nstd.documents.config import Config
from nstd.errors import BenchError

FOUND: dict[str, Any] = {
    "machine": {
        "threads": 2,
        "weights": "random",
        "size": 512,
        "pixels": [384, 512],
        "precision": "bfloat16",
    },
    "ceiling": {"fp32_gflops": 200.0, "bf16_gflops": 1000.0},
    "evaluations": {
        "plain": {"seconds": 1.5, "peak_memory": 2_000_000_000},
        "ours": {"seconds": 0.5, "peak_memory": 1_000_000_000},
    },
    "race": {
        "plain": {"size": 256, "loss": 0.1, "evaluations": 150, "seconds": 60.0, "of": 200},
        "ours": {"evaluations": 100, "seconds": 12.0},
    },
    "pictures": {"student": 12.0, "fixed": 10.0, "fitted": 15.0},
    "daemon": {
        "slots": 1,
        "jobs": 6,
        "pictures_per_hour": 1500.0,
        "overhead_seconds": 0.03,
        "scaling": {"slots": 2, "one": 800.0, "all": 1560.0, "ratio": 1.95},
    },
}


class Convolutions(nn.Module):
    """VGG-19 without the classifier, which would be half a gigabyte."""

    def __init__(self) -> None:
        from torchvision.models.vgg import (  # type: ignore[import-untyped]  # takes two seconds
            cfgs,
            make_layers,
        )

        super().__init__()
        self.features = make_layers(cfgs["E"])


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with random weights of the convolutions."""
    monkeypatch.setattr("torchvision.models.vgg19", Convolutions)
    torch.manual_seed(0)
    install_weights(tmp_path, Convolutions().state_dict())
    return tmp_path


def pictures() -> tuple[Tensor, Tensor, Tensor]:
    """A content, a style and a picture in between."""
    generator = torch.Generator().manual_seed(0)
    content, style, other = torch.rand(3, 1, 3, 48, 64, generator=generator)
    return content, style, 0.7 * content + 0.3 * other


def test_both_lower_the_same_loss(weights: Path) -> None:
    """To the last constant, at any picture: else their seconds could not be compared."""
    content, style, picture = pictures()
    loop = PlainOptimiser(next(weights.glob("*.pth")), content, style)
    options = Options(**SAME)
    layers = tuple({*options.layers[0], *options.layers[1]})
    request = NetworkRequest(RETRAINED, (), layers, "max", 0, "cpu", "float32", weights)
    region = Region(None, 1.0, (Painting(style, 1.0, 1.0, None),))
    ours = Objective(networks.load(request), content, [region], options)
    assert ours(picture).loss == pytest.approx(loop.loss(picture).item(), rel=1e-4)
    assert ours(style).loss == pytest.approx(loop.loss(style).item(), rel=1e-4)


def test_the_plain_loop_goes_down(weights: Path) -> None:
    """It is a fair one."""
    content, style, _ = pictures()
    loop = PlainOptimiser(next(weights.glob("*.pth")), content, style)
    losses = [loop.step() for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]
    assert 0 <= loop.picture.min() <= loop.picture.max() <= 1


def test_the_work_of_an_evaluation_is_that_of_the_literature() -> None:
    """379 GFLOP at 512 x 512, four times as much at twice the size."""
    assert vgg_work(512, 512) == pytest.approx(379e9, rel=0.01)
    assert vgg_work(1024, 1024) == pytest.approx(4 * vgg_work(512, 512))


def test_ratios_are_the_plain_loop_over_ours() -> None:
    """More than 1 is for us; what was not run to its end says so."""
    made = report.make_report(FOUND)
    vgg = made["vgg19"]
    assert vgg["seconds_per_evaluation_ratio"] == 3
    assert vgg["seconds_to_loss_ratio"] == 5
    assert vgg["peak_memory_ratio"] == 2
    assert vgg["projected"]
    assert made["fixed"]["seconds_to_picture_ratio"] == 75
    assert made["fitted"]["seconds_to_picture_ratio"] == 50
    reached = vgg_work(384, 512) / 0.5 / 1e9
    assert made["ceiling"]["share"] == pytest.approx(reached / 1000)


def test_a_race_at_full_length_is_not_projected() -> None:
    """At the size of the evaluations, and to their full number."""
    race = {"plain": FOUND["race"]["plain"] | {"size": 512, "of": 500}, "ours": None}
    made = report.make_report(FOUND | {"race": race})
    assert not made["vgg19"]["projected"]
    assert made["vgg19"]["seconds_to_loss_ratio"] is None


@pytest.mark.parametrize("ours", [FOUND["race"]["ours"], None])
def test_people_get_a_table(
    ours: dict[str, Any] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what it means: what was projected, and which weights there were."""
    report.print_report(report.make_report(FOUND | {"race": FOUND["race"] | {"ours": ours}}))
    text = capsys.readouterr().out
    assert "3.0x" in text
    assert "projected" in text
    assert "1.95 times" in text
    assert "random weights" in text
    assert ("not reached" in text) == (ours is None)


def test_the_command_prints_json_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """And on standard error what is going on."""
    asked: list[SpeedPlan] = []

    def measured(
        plan: SpeedPlan, config: Config, threads: int, show_step: run.ShowStep
    ) -> dict[str, Any]:
        asked.append(plan)
        show_step("the ceiling")
        return FOUND

    monkeypatch.setattr(run, "measure", measured)
    result = CliRunner().invoke(app, ["bench", "speed", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["vgg19"]["seconds_per_evaluation_ratio"] == 3
    assert "the ceiling" in result.stderr
    assert asked == [SHORT]
    assert CliRunner().invoke(app, ["bench", "speed"]).exit_code == 0


def test_a_contestant_that_ends_is_an_error_with_a_code(tmp_path: Path) -> None:
    """Here for want of weights."""
    setup = Setup(32, str(tmp_path / "none.pth"), 1)
    with Contestant("plain", setup) as one, pytest.raises(BenchError) as caught:
        one.ask("evaluate", count=1)
    assert caught.value.code == "bench_failed"


def test_large_pictures_in_a_table_or_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A whole one beside what was predicted of it; one evaluation has no prediction."""
    found = [
        vars(Case("fixed", 4096, True)) | {"seconds": 9.0, "peak_memory": 2e9, "predicted": 1e9},
        vars(Case("vgg19", 8192, False)) | {"seconds": 99.0, "peak_memory": 3e9},
    ]
    print_large(found)
    first, second = (line for line in capsys.readouterr().out.splitlines() if "px" in line)
    assert "4096 px" in first
    assert "0.50" in first
    assert "one evaluation" in second
    monkeypatch.setattr(large, "measure_large", lambda *_: found)
    result = CliRunner().invoke(app, ["bench", "large", "--json"])
    assert json.loads(result.stdout) == found


def test_a_large_picture_is_measured_for_real(tmp_path: Path) -> None:
    """In a process of its own, small here, with random weights."""
    cases = [Case("fixed", 72, whole=True), Case("fixed", 72, whole=False)]
    Config.at(tmp_path).folder("networks").mkdir(parents=True)
    install_weights(Config.at(tmp_path).folder("networks"), {})  # not asked for here
    whole, once = measure_large(Config.at(tmp_path), 1, lambda _: None, cases)
    assert whole["seconds"] > once["seconds"] > 0
    assert 0.7 < whole["predicted"] / whole["peak_memory"] < 1.3


def test_slots_that_are_compared_have_one_thread_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the environment is as it was."""
    seen = []

    def counted(config: Config, jobs: int, folder: Path) -> dict[str, Any]:
        seen.append((config.slots, os.environ["OMP_NUM_THREADS"], jobs))
        return {"pictures_per_hour": 900.0 * config.slots["cpu"]}

    monkeypatch.setattr(batches, "batch", counted)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = batches.scaling(Config.at(tmp_path), 6, 4, tmp_path)
    assert seen == [({"cpu": 1}, "1", 6), ({"cpu": 4}, "1", 6)]
    assert found["ratio"] == 4
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everything_is_measured(tmp_path: Path) -> None:
    """The real thing, small: processes, a race, the daemon."""
    small = SpeedPlan(size=64, turns=1, race_size=64, race_evaluations=6, race_steps=60, batch=2)
    found = measure(small, Config.at(tmp_path), 2, lambda _: None)
    made = report.make_report(found)
    for ratio in (
        made["vgg19"]["seconds_per_evaluation_ratio"],
        made["vgg19"]["seconds_to_loss_ratio"],
        made["vgg19"]["peak_memory_ratio"],
        made["fixed"]["seconds_to_picture_ratio"],
        made["ceiling"]["share"],
        made["daemon"]["pictures_per_hour"],
        made["daemon"]["scaling"]["ratio"],
    ):
        assert ratio > 0
        assert math.isfinite(ratio)
