"""`nstd bench speed --profile`: which operation is of which stage, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from click.testing import CliRunner

from nstd.backends.gatys import Options
from nstd.bench.speed import profile_run
from nstd.bench.speed.ours import Engine
from nstd.bench.speed.profile_report import print_profiles
from nstd.bench.speed.profiled import profile
from nstd.bench.speed.roofline import StagePart, by_stage, parts_of, read_parts
from nstd.bench.speed.roofline_svg import roofline_svg
from nstd.bench.speed.setup import Setup
from nstd.bench.speed.traced import Operation, Tracer
from nstd.cli.app import app

MACHINE = {"fp32_gflops": 100.0, "bf16_gflops": 800.0, "bandwidth": 10e9, "threads": 1}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A real profile of the default network on a small picture."""
    weights = tmp_path_factory.mktemp("networks") / "none"
    evaluate, picture = Engine(Setup(96, str(weights), 1))._at_full_size(Options())
    made = profile(evaluate, picture, steps=2)
    return {"network": "student", "size": 96, "precision": "float32", **MACHINE, **made}


def test_the_work_of_a_stage_is_that_of_its_filters(found: dict[str, Any]) -> None:
    """Sixteen filters of 3 x 3 and their negatives see three channels of every pixel, in both
    directions."""
    height, width = found["pixels"]
    works = {(part.stage, part.kind): part.work for part in read_parts(found)}
    first = 2 * 9 * 3 * 32 * height * width
    assert works[1, "convolution"] == works[1, "convolution, back"] == first
    assert {stage for stage, kind in works if kind == "convolution"} == {1, 2, 3, 4, 5}
    assert {"statistics", "pooling, rectifying", "picture", "optimiser"} <= {k for _, k in works}


def test_the_times_of_all_parts_are_that_of_an_evaluation(found: dict[str, Any]) -> None:
    """Nothing that takes long is left out, and nothing counts twice."""
    parts = read_parts(found)
    assert 0 < sum(part.seconds for part in parts) <= found["traced_seconds"]
    stages = by_stage(parts).values()
    assert sum(part.moved for part in stages) == sum(part.moved for part in parts)
    assert found["evaluations"] >= found["steps"] == 2


def test_an_operation_moves_what_it_reads_and_writes() -> None:
    """Views move nothing."""
    tracer = Tracer()
    x, weight = torch.ones(1, 2, 8, 8), torch.ones(4, 2, 3, 3)
    with tracer:
        torch.nn.functional.conv2d(x, weight, padding=1).reshape(4, 64)
    [one] = tracer.operations
    assert (one.name, one.shape) == ("convolution", (1, 4, 8, 8))
    assert one.moved == x.nbytes + weight.nbytes + 4 * 4 * 64
    assert one.work == 2 * 9 * 2 * 4 * 64


def test_the_gradient_of_a_statistic_is_told_from_a_filter() -> None:
    """It is a convolution, too, whose filters see a single position."""
    operation = Operation("convolution", True, (1, 64, 32, 48), 1.0, 8, 0, kernel=1)
    [part] = parts_of([operation], 64, 96, 1)
    assert (part["stage"], part["kind"]) == (2, "statistics")


@pytest.mark.parametrize(
    ("name", "shape", "place"),
    [
        ("convolution", (1, 16, 64, 96), (1, "convolution")),
        ("convolution_backward", (1, 64, 18, 26), (3, "convolution, back")),
        ("sub", (1, 3, 64, 96), (1, "picture")),
        ("clamp", (1, 64, 4, 6), (5, "pooling, rectifying")),
        ("mm", (1536, 64), (2, "statistics")),
        ("bmm", (16, 64, 96), (2, "statistics")),
        ("add", (8, 2, 12, 2, 64), (3, "pooling, rectifying")),
        ("mm", (448, 448), (0, "loss terms")),
        ("add", (), (0, "loss terms")),
    ],
)
def test_the_stage_is_told_by_the_number_of_positions(
    name: str, shape: tuple[int, ...], place: tuple[int, str]
) -> None:
    """A quarter of those of the stage before, with or without a border."""
    operation = Operation(name, True, shape, 1.0, 8, 0)
    [part] = parts_of([operation], 64, 96, 2)
    assert (part["stage"], part["kind"], part["seconds"]) == (*place, 0.5)


def test_the_roof_is_the_memory_or_computing() -> None:
    """Whichever needs longer."""
    part = StagePart(1, "convolution", 1.0, moved=10, work=1000)
    assert part.roof(ceiling=100.0, bandwidth=5.0) == 10.0
    assert not part.is_bound_by_memory(100.0, 5.0)
    assert part.roof(ceiling=100.0, bandwidth=0.5) == 20.0
    assert part.is_bound_by_memory(100.0, 0.5)


def test_the_table_has_each_part_and_the_drawing_each_stage(
    found: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """And the machine's best, by which they are judged."""
    print_profiles([found])
    said = capsys.readouterr().out
    assert "student, 96 px, float32: one evaluation" in said
    assert "memory 10.0 GB/s" in said
    assert said.count("all of it") == 6
    drawing = ElementTree.fromstring(roofline_svg([found, found]))
    circles = drawing.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 2 * 5


def test_the_command_prints_and_draws(
    found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON for machines; a drawing needs a profile."""
    monkeypatch.setattr(profile_run, "measure_profiles", lambda *_: [found])
    arguments = ["bench", "speed", "--svg", str(tmp_path / "roofline.svg")]
    assert CliRunner().invoke(app, arguments).exit_code == 2
    done = CliRunner().invoke(app, [*arguments, "--profile", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == [found]
    assert "student, 96 px" in (tmp_path / "roofline.svg").read_text()
